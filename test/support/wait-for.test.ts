import { waitFor } from "./wait-for";

const quick = { timeoutMs: 30, everyMs: 1 };

test("gives the first thing that is there", async () => {
  let asked = 0;
  const condition = async () => (++asked < 3 ? undefined : { asked });
  expect(await waitFor(condition, "the third time", { everyMs: 1 })).toEqual({ asked: 3 });
});

test("a condition that throws is asked again", async () => {
  let asked = 0;
  const condition = () => {
    if (++asked < 3) throw new Error("not yet");
    return true;
  };
  expect(await waitFor(condition, "calm", { everyMs: 1 })).toBe(true);
});

test("tells in vain for what, the last look, and what was seen", async () => {
  await expect(waitFor(() => 0, "a record", { ...quick, seen: () => ["k1", "k2"] })).rejects.toThrow(
    "waited 0.03 s in vain for a record; the last look gave 0\nseen: [ 'k1', 'k2' ]",
  );
  const broken = () => Promise.reject(new Error("connection refused"));
  await expect(waitFor(broken, "an answer", quick)).rejects.toThrow("the last look gave connection refused");
});
