import { type HealthPhase, ReplicaHealth, type Sign } from "../../src/router/replica-health";

type Kind = HealthPhase["kind"];

/** In this phase since 1000; its pause, if it has one, is 1000 long. */
function inPhase(kind: Kind): ReplicaHealth {
  const health = new ReplicaHealth();
  if (kind === "well") return health;
  for (let i = 0; i < 3; i++) health.saw("failed", 0, kind === "avoided" ? 1_000 : 0);
  if (kind === "avoided") return health;
  health.woken(1_000);
  if (kind === "probing") health.began(1_000);
  return health;
}

const told = ({ phase }: ReplicaHealth) => {
  switch (phase.kind) {
    case "well":
      return `well, ${phase.failures} failures`;
    case "avoided":
      return `avoided until ${phase.untilMs}`;
    default:
      return phase.kind;
  }
};

/** An event at 2000; what it is about was sent then ("new") or at 500 ("old"). */
type Happening = "began" | "woken early" | "woken" | `${Sign} new` | `${Sign} old`;

const TABLE: Record<Kind, Record<Happening, string>> = {
  well: {
    began: "well, 0 failures",
    "woken early": "well, 0 failures",
    woken: "well, 0 failures",
    "alive new": "well, 0 failures",
    "alive old": "well, 0 failures",
    "failed new": "well, 1 failures",
    "failed old": "well, 1 failures",
    "nothing new": "well, 0 failures",
    "nothing old": "well, 0 failures",
  },
  avoided: {
    began: "avoided until 2000",
    "woken early": "avoided until 2000",
    woken: "due",
    "alive new": "well, 0 failures",
    "alive old": "well, 0 failures",
    "failed new": "avoided until 2000",
    "failed old": "avoided until 2000",
    "nothing new": "avoided until 2000",
    "nothing old": "avoided until 2000",
  },
  due: {
    began: "probing",
    "woken early": "due",
    woken: "due",
    "alive new": "well, 0 failures",
    "alive old": "well, 0 failures",
    "failed new": "due",
    "failed old": "due",
    "nothing new": "due",
    "nothing old": "due",
  },
  probing: {
    began: "probing",
    "woken early": "probing",
    woken: "probing",
    "alive new": "well, 0 failures",
    "alive old": "well, 0 failures",
    "failed new": "avoided until 4000",
    "failed old": "probing",
    "nothing new": "due",
    "nothing old": "probing",
  },
};

function happen(health: ReplicaHealth, happening: Happening): void {
  if (happening === "began") return health.began(2_000);
  if (happening === "woken early") return health.woken(1_999);
  if (happening === "woken") return health.woken(2_000);
  const [sign, age] = happening.split(" ") as [Sign, string];
  health.saw(sign, age === "new" ? 2_000 : 500, 2_000);
}

describe.each(Object.entries(TABLE))("%s", (kind, row) => {
  test.each(Object.entries(row))("%s → %s", (happening, expected) => {
    const health = inPhase(kind as Kind);
    happen(health, happening as Happening);
    expect(told(health)).toBe(expected);
  });

  test("is open to invocations or not", () => {
    expect(inPhase(kind as Kind).open).toBe(kind === "well" || kind === "due");
  });
});

test("three failures in a row are too many; an answer between them makes them harmless, what says nothing does not", () => {
  const health = new ReplicaHealth();
  const signs: Sign[] = ["failed", "failed", "alive", "failed", "failed", "nothing"];
  for (const sign of signs) health.saw(sign, 0, 0);
  expect(told(health)).toBe("well, 2 failures");
  health.saw("failed", 0, 70);
  expect(told(health)).toBe("avoided until 1070");
});

test("B2: what was under way when it came back is not held against it", () => {
  const health = inPhase("probing");
  health.saw("alive", 1_000, 1_100);
  for (let i = 0; i < 5; i++) health.saw("failed", 1_099, 1_200);
  expect(told(health)).toBe("well, 0 failures");
  for (let i = 0; i < 3; i++) health.saw("failed", 1_100, 1_200);
  expect(told(health)).toBe("avoided until 2200");
});

test("the pause doubles with each probe that fails, up to 30 s, and begins anew after an answer", () => {
  const health = inPhase("avoided");
  const pauses: number[] = [];
  let now = 0;
  for (let i = 0; i < 7; i++) {
    if (health.phase.kind !== "avoided") throw new Error(health.phase.kind);
    pauses.push(health.phase.pauseMs);
    now = health.phase.untilMs;
    health.woken(now);
    health.began(now);
    health.saw("failed", now, now);
  }
  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  health.saw("alive", 0, now);
  for (let i = 0; i < 3; i++) health.saw("failed", now, now);
  expect(told(health)).toBe(`avoided until ${now + 1_000}`);
});
