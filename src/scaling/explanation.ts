/** One actor in plain words: what it does, what it waits for, why it has no lessee or no more. Made anew at each question, changes nothing. */
import type { Intake } from "../ingress/intake";
import type { Explanation } from "../observe/actor-status";
import type { Endpoint, FunctionType, Mailbox, Router } from "../router/router";
import { memoryBytes } from "../state/store";
import { actorStatus, channelText } from "./actor-view";
import { type Channel, type ChannelsOf, prefixOf } from "./alignment";
import type { DualActor } from "./dual-actor";
import { lesseeOutlook } from "./lessee-outlook";
import type { Section } from "./section";

/** What there is to look at. */
export interface World {
  readonly router: Router;
  readonly intake: Intake;
  readonly channelsOf: ChannelsOf;
  /** This router runs the shard. */
  readonly runs: (shard: number) => boolean;
}

/** Of lanes and channels so many are named. */
const NAMED_MAX = 5;

export function explanation(world: World, type: FunctionType, id: string, now: number): Explanation {
  const mailbox = type.mailboxes.get(id);
  const actor = type.dual && (mailbox?.owner as DualActor | undefined);
  const shard = world.router.homeOf(id);
  return {
    function: type.typename,
    id,
    shard,
    mode: type.dual ? "dual" : "exclusive",
    doing: mailbox
      ? [...(actor ? [phaseText(actor)] : []), ...lanesText(actor, mailbox, now)]
      : [restText(world, type, id, shard)],
    waitsFor: mailbox
      ? [...lanesWait(actor?.lanes ?? [mailbox], world, now), ...(actor ? barrierWaits(actor, world, now) : [])]
      : [],
    lessees: lesseeOutlook(type, actor, world.router, now),
    actor: actor ? actorStatus(actor) : null,
  };
}

// ── what it does ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function restText({ runs }: World, { states }: FunctionType, id: string, shard: number): string {
  const memory = states.memories.get(id);
  if (memory && !memory.empty) return `nothing: no message is there for it; it remembers ${memoryBytes(memory)} bytes`;
  if (!runs(shard)) return `nothing here: this router does not run its shard ${shard}`;
  return "nothing: no message is there for it, and it remembers nothing";
}

function phaseText({ phase, lanes, leases, awaited, waitsSinceMs }: DualActor): string {
  switch (phase.kind) {
    case "runnable":
      if (waitsSinceMs < Number.POSITIVE_INFINITY)
        return `it runs what comes before barrier ${awaited}, and waits for that barrier`;
      return leases.length > 0 ? `it runs on ${lanes.length} lanes` : "it runs without lessees";
    case "draining": {
      const busy = lanes.filter((lane) => lane.phase.kind !== "idle").length;
      return `it drains for ${sectionText(phase.section)}: ${busy} of ${lanes.length} lanes have not finished`;
    }
    case "consolidating": {
      const { failure } = phase.consolidation;
      const merging = `it merges the parts of ${count(leases.length, "lessee")} for ${sectionText(phase.section)}`;
      return failure === "" ? merging : `${merging}, which has failed and is tried again: ${failure}`;
    }
    case "critical":
      return `it runs ${sectionText(phase.section)}, alone, on the merged state`;
  }
}

function sectionText({ reason, barrier, messages }: Section): string {
  const critical = count(messages.length, "critical message");
  switch (reason) {
    case "barrier":
      return `barrier ${barrier} (${critical})`;
    case "critical":
      return "a lone critical message";
    case "idle":
      return "the end of idle leases";
    case "policy":
      return "its many sub-keys, which are to have no lanes of their own any more";
    case "recovery":
      return "recovery, as parts were found in the log";
  }
}

function lanesText(actor: DualActor | undefined, mailbox: Mailbox, now: number): string[] {
  const lanes = actor?.lanes ?? [mailbox];
  const told = lanes.slice(0, 1 + NAMED_MAX).map((lane) => `${laneName(lane)}: ${laneText(lane, now)}`);
  return lanes.length > told.length ? [...told, `and ${count(lanes.length - told.length, "more lane")}`] : told;
}

function laneName({ owner, memory }: Mailbox): string {
  if (!owner) return "its mailbox";
  return memory.lane === 0 ? "the lessor" : `lessee ${memory.lane}`;
}

function laneText({ phase, waiting, readyMs }: Mailbox, now: number): string {
  switch (phase.kind) {
    case "idle":
      return "idle";
    case "ready":
      return `ready for ${duration(now - readyMs)}, ${count(waiting, "message")} waiting`;
    case "running":
      return `${count(phase.batch, "message")} in flight, attempt ${phase.attempt}, ${waiting - phase.batch} behind`;
    case "resting":
      return `attempt ${phase.attempt} with ${count(phase.batch, "message")} failed, ${waiting - phase.batch} behind`;
  }
}

// ── what it waits for ────────────────────────────────────────────────────────────────────────────────────────────────────

function lanesWait(lanes: readonly Mailbox[], { router }: World, now: number): string[] {
  const waits: string[] = [];
  for (const { phase } of lanes) {
    if (phase.kind === "resting") waits.push(`its next attempt, in ${duration(phase.untilMs - now)}`);
  }
  const ready = lanes.filter(({ phase }) => phase.kind === "ready").length;
  if (ready > 0) {
    const [{ type }] = lanes as [Mailbox];
    const { specification, inFlight, slots, queued } = router.endpoints[type.endpoint] as Endpoint;
    const slot = ready === 1 ? "a slot" : `slots for ${ready} lanes`;
    waits.push(`${slot} of endpoint ${specification.id}: ${inFlight} of ${slots} taken, ${count(queued, "lane")} in line`);
  }
  return waits;
}

function barrierWaits(actor: DualActor, world: World, now: number): string[] {
  const { alignment, phase, holding, awaited, waitsSinceMs } = actor;
  const waits: string[] = [];
  if (waitsSinceMs < Number.POSITIVE_INFINITY && phase.kind === "runnable") {
    const missing = alignment.missing(actor.type.upstreams, actor.seen, world.channelsOf);
    if (missing.length > 0)
      waits.push(`barrier ${awaited}, for ${duration(now - waitsSinceMs)}: nothing yet from ${someOf(missing)}`);
    const silent = missing.filter((channel) => isSilent(channel, actor, world));
    if (silent.length > 0) waits.push(`no barrier comes from ${someOf(silent)}: ${SILENT}`);
  }
  const window = phase.kind === "runnable" ? windowWait(actor, world) : undefined;
  if (window) waits.push(window);
  if (holding > 0)
    waits.push(`${count(holding, "message")} held behind ${phase.kind === "runnable" ? "a barrier" : "this section"}`);
  return waits;
}

const SILENT = "it remembers nothing, and windows end only for actors that remember something or have something to do";

/** An actor whose barriers are ends of windows, and which has none to come. */
function isSilent(channel: Channel, { type }: DualActor, { router, intake, runs }: World): boolean {
  return type.upstreams.some((upstream) => {
    if (upstream.kind === "ingress" || upstream.count !== undefined || !channel.startsWith(prefixOf(upstream))) return false;
    if (!intake.watermarks.some(({ specification }) => specification.functions.includes(upstream.function))) return false;
    const id = channel.slice(prefixOf(upstream).length);
    const from = router.functionTypes.find(({ typename }) => typename === upstream.function);
    const empty = from?.states.memories.get(id)?.empty ?? true;
    return runs(router.homeOf(id)) && empty && from?.mailboxes.get(id) === undefined;
  });
}

/** The next end of a window, where there is something for it to end. */
function windowWait(actor: DualActor, { intake }: World): string | undefined {
  const { type, alignment, lessor, holding, done } = actor;
  const [watermark] = type.watermarks;
  if (type.least > done) return undefined; // It has come, and waits for upstreams.
  if (!watermark || (lessor.memory.empty && holding === 0 && !alignment.waiting)) return undefined;
  const next = Math.max(done, type.least) + 1;
  const ingresses = new Set<string>(type.watermarks.map(({ ingress }) => ingress));
  const behind: Channel[] = [];
  for (const { source, partition, passed } of intake.inputs.values()) {
    const { ingress, topic } = source.specification;
    if (ingresses.has(ingress) && passed < next) behind.push(`${ingress}/${topic}/${partition}`);
  }
  if (behind.length === 0) return undefined;
  if (next === 0) return `the first end of a window: none has been passed yet by ${someOf(behind)}`;
  const end = new Date(next * watermark.specification.everyMs).toISOString();
  return `the end of its window at ${end}, barrier ${next}: not passed yet by ${someOf(behind)}`;
}

// ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The first of them by name. */
export function someOf(channels: readonly Channel[]): string {
  const named = channels.slice(0, NAMED_MAX).map(channelText).join(", ");
  return channels.length > NAMED_MAX ? `${named} and ${channels.length - NAMED_MAX} more` : named;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.max(0, Math.round(ms * 10) / 10)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
