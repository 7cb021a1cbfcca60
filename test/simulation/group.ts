/**
 * The consumer group: who is a member, and who is given the shards. One member gets all of them (one router works at a time);
 * the others get nothing and wait.
 *
 * It knows nothing of claims and guarantees nothing: assignments come late, to the paused not at all, and the former owner
 * may still be at work when the next one is told.
 */
import type { Agenda } from "./agenda";
import type { Chance } from "./chance";
import type { Trace } from "./trace";

export interface Member {
  /** The router's name; a newcomer of the same name may remove its predecessor at once. */
  readonly router: string;
  assigned(memberId: string, owns: boolean): void;
  /** It is a member no more, and has not asked for that. */
  removed(memberId: string): void;
}

/** Time to agree on a new assignment: a rebalance with everybody answering. */
const REBALANCE_MS = 40;

export class Group {
  readonly #members = new Map<string, Member>();
  #owner: string | undefined;
  #joined = 0;
  #planned = false;

  constructor(
    private readonly agenda: Agenda,
    private readonly chance: Chance,
    private readonly trace: Trace,
    readonly sessionTimeoutMs: number,
  ) {}

  /** Returns the member id. With `takeOver`, members of the same name leave at once instead of timing out. */
  join(member: Member, takeOver: boolean): string {
    if (takeOver) {
      for (const [memberId, other] of this.#members) if (other.router === member.router) this.expel(memberId);
    }
    const memberId = `${member.router}-${++this.#joined}`;
    this.#members.set(memberId, member);
    this.rebalance();
    return memberId;
  }

  leave(memberId: string): void {
    if (this.#members.delete(memberId)) this.rebalance();
  }

  expel(memberId: string): void {
    this.#members.get(memberId)?.removed(memberId);
    this.leave(memberId);
  }

  /** Nothing is heard of a member: it is removed after its session, unless `alive` says otherwise by then. */
  silent(memberId: string, alive: () => boolean): void {
    this.agenda.after(this.sessionTimeoutMs, () => {
      if (alive() || !this.#members.has(memberId)) return;
      this.trace.note(this.agenda.now, `group: session of ${memberId} expired`);
      this.expel(memberId);
    });
  }

  /** Gives the shards out anew, perhaps to another member. Several wishes in a short time become one rebalance. */
  rebalance(move = false): void {
    if (move) this.#owner = undefined;
    if (this.#planned) return;
    this.#planned = true;
    this.agenda.after(REBALANCE_MS / 2 + this.chance.delay(REBALANCE_MS), () => {
      this.#planned = false;
      this.#assign();
    });
  }

  #assign(): void {
    const ids = [...this.#members.keys()];
    if (ids.length === 0) return;
    if (this.#owner === undefined || !this.#members.has(this.#owner)) this.#owner = this.chance.pick(ids);
    this.trace.note(this.agenda.now, `group: ${this.#owner} owns, of ${ids.join(", ")}`);
    for (const [memberId, member] of this.#members) member.assigned(memberId, memberId === this.#owner);
  }
}
