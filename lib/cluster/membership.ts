import { Emitter, FsError, type Log } from '../core/index.js';
import type { MemberFacts, MemberState, Position, ReplicatedLog } from './log.js';
import { ServingLease } from './serving-lease.js';

/** How long a replica may serve after a renewal was sent. */
const LEASE_MS = 3_000;
/** Renewals that fail are tried again so soon. */
const RETRY_MS = 100;
/** While others are waited for. */
const LOOK_AGAIN_MS = 50;
const LONGEST_WAIT_MS = 4_500;
/** So long one counts as known that renewed its lease, by our own clock. */
const KNOWN_MS = 5 * 60_000;
/** After that one that renews no longer is forgotten, by our own clock: the engine's may have stepped, and its lease may run. */
const FORGET_MS = 60 * 60_000;

export interface Member extends MemberFacts {
  readonly appliedSeq: number;
  /** Of its lease, as the engine said when it was asked last. */
  readonly leaseLeftMs: number;
}

export interface MembershipOptions {
  readonly log: ReplicatedLog;
  /** Where it is reached is known once it listens. */
  readonly self: Omit<MemberFacts, 'address'>;
  readonly leaseMs?: number;
  /** How far this replica is. */
  readonly appliedSeq: () => number;
  /** The same, where everybody here knows of changes of rights up to there: what the others are told. */
  readonly settledSeq: () => number;
  /** The log stands there: who is behind reads. */
  readonly onHead: (head: Position) => void;
  readonly textLog: Log;
}

/** What we saw of a member, by our own clock: clocks of machines may step, and databases move to another machine. */
interface Seen {
  readonly state: MemberState;
  /** When this renewal of it was first seen. */
  readonly sinceMs: number;
}

/**
 * Which replicas there are. Each renews a lease with the engine; one that could not in time serves nothing, and the others know when
 * that is so: a change of rights waits until each has applied it or is out.
 */
export class Membership {
  readonly changed = new Emitter<void>();
  readonly servingChanged = new Emitter<boolean>();
  readonly selfId: string;
  readonly lease: ServingLease;
  /** False: it cannot do its part, and renews nothing until it can. The others wait for it no longer than its lease. */
  isAble = true;
  readonly #options: MembershipOptions;
  readonly #heard = new Emitter<void>();
  readonly #leaseMs: number;
  #address = '';
  #seen = new Map<string, Seen>();
  /** When the newest renewal of each was first seen, for those that were seen in the last minutes. */
  readonly #renewedMs = new Map<string, number>();
  #live: readonly Member[] = [];
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<boolean> | undefined;
  #wantsAnother = false;
  #isClosed = false;
  #wasServing = false;
  #failing = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#leaseMs = options.leaseMs ?? LEASE_MS;
    this.selfId = options.self.id;
    this.lease = new ServingLease(this.#leaseMs);
  }

  /** Those whose lease runs, by their ids; this one is among them once it has one. */
  members(): readonly Member[] {
    return this.#live;
  }

  member(id: string): Member | undefined {
    return this.#live.find((member) => member.id === id);
  }

  /** The ids of those that are there, and of those that were in the last minutes, whether they left or not, and whatever the engine's clock did. */
  known(): ReadonlySet<string> {
    const sinceMs = performance.now() - KNOWN_MS;
    return new Set([...this.#renewedMs].flatMap(([id, ms]) => (ms > sinceMs ? id : [])));
  }

  /** Whether this replica may answer: its lease runs, and it has applied what there was when it got it. Asked for each message. */
  isServing(): boolean {
    return this.lease.isHeld(this.#options.appliedSeq());
  }

  /** Takes part from now on. */
  async start(address: string): Promise<void> {
    this.#address = address;
    await this.renew(false);
  }

  /** Renews now: after a change of rights was applied, so that the others need not wait for the next turn. Answers whether it could. */
  renew(outOfTurn: boolean): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    if (this.#renewing !== undefined) {
      this.#wantsAnother ||= outOfTurn;
      return this.#renewing;
    }
    clearTimeout(this.#timer);
    this.#renewing = this.#renewOnce(outOfTurn).finally(() => {
      this.#renewing = undefined;
      const again = this.#wantsAnother;
      this.#wantsAnother = false;
      if (again) void this.renew(true);
      else this.#arm();
    });
    return this.#renewing;
  }

  /** Says when serving begins or ends; to be called where what it depends on may have changed. */
  review(): void {
    const now = this.isServing();
    if (now === this.#wasServing) return;
    this.#wasServing = now;
    this.#options.textLog[now ? 'info' : 'warn'](
      now ? 'this replica serves' : 'this replica serves nothing: it lost touch with the store, or is behind',
      { replica: this.selfId },
    );
    this.servingChanged.emit(now);
  }

  /**
   * Answers once nobody serves anything older than that, which stands in the log: each other member has applied it, or its lease has
   * run out, by the engine's clock and by the time that passed here since its last renewal was seen. Who comes meanwhile does not serve
   * before it has applied it.
   * @throws FsError EHOSTDOWN where that is not so in time
   */
  async allHaveApplied(seq: number): Promise<void> {
    const endMs = performance.now() + LONGEST_WAIT_MS;
    for (;;) {
      const isFresh = await this.renewAfterThis();
      if (isFresh && this.#haveAllApplied(seq)) return;
      if (performance.now() > endMs || this.#isClosed)
        throw new FsError(
          'EHOSTDOWN',
          'The change was made, but not every replica could be asked whether it knows.',
          {
            hint: 'Within seconds each of them has it, or serves nothing. Look whether the store can be reached.',
          },
        );
      await this.#heardOrAfter(LOOK_AGAIN_MS);
    }
  }

  /** Somebody may have said something new. */
  heard(): void {
    this.#heard.emit();
  }

  #haveAllApplied(seq: number): boolean {
    return [...this.#seen.values()].every(
      (seen) => seen.state.id === this.selfId || seen.state.appliedSeq >= seq || this.#isOut(seen),
    );
  }

  #heardOrAfter(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        stop();
        resolve();
      };
      const timer = setTimeout(done, ms);
      const stop = this.#heard.on(done);
    });
  }

  /** Takes part no longer. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#renewing?.catch(() => undefined);
    this.lease.drop();
    this.review();
    await this.#options.log.leave(this.selfId).catch(() => undefined);
  }

  /** Renews once, not before now: what it brings is no older than the question. */
  async renewAfterThis(): Promise<boolean> {
    await this.#renewing;
    return this.renew(false);
  }

  async #renewOnce(outOfTurn: boolean): Promise<boolean> {
    const { log, self, settledSeq, onHead, textLog } = this.#options;
    if (!this.isAble) {
      this.lease.drop();
      this.review();
      return false;
    }
    const term = this.lease.begin();
    try {
      const facts = { ...self, address: this.#address };
      const { head, members } = await log.renew(facts, {
        appliedSeq: settledSeq(),
        leaseMs: this.#leaseMs,
        outOfTurn,
        forget: [...this.#seen.values()].flatMap((seen) =>
          this.#isOut(seen, FORGET_MS) ? seen.state.id : [],
        ),
      });
      this.lease.renewed(term, head.seq);
      this.#failing = false;
      this.#note(members);
      onHead(head);
    } catch (thrown) {
      if (!this.#failing && !this.#isClosed)
        textLog.warn('the lease could not be renewed', { error: thrown });
      this.#failing = true;
    }
    this.review();
    return !this.#failing;
  }

  #arm(): void {
    if (this.#isClosed) return;
    const waitMs = this.#failing ? RETRY_MS : this.#leaseMs / 3;
    this.#timer = setTimeout(() => void this.renew(false), waitMs * (0.9 + Math.random() / 10));
    this.review();
  }

  #note(members: readonly MemberState[]): void {
    const now = performance.now();
    this.#seen = new Map(
      members.map((state) => {
        const before = this.#seen.get(state.id);
        const isSame = before?.state.beat === state.beat;
        return [state.id, { state, sinceMs: isSame ? before.sinceMs : now }];
      }),
    );
    for (const { state, sinceMs } of this.#seen.values()) this.#renewedMs.set(state.id, sinceMs);
    for (const [id, ms] of this.#renewedMs) if (now - ms >= KNOWN_MS) this.#renewedMs.delete(id);
    const before = this.#live.map(({ id, address }) => `${id} ${address}`).join();
    this.#live = [...this.#seen.values()]
      .filter(({ state }) => state.leaseLeftMs > 0)
      .map(({ state: { id, address, version, startedAtMs, appliedSeq, leaseLeftMs } }) => ({
        ...{ id, address, version, startedAtMs, appliedSeq, leaseLeftMs },
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    if (this.#live.map(({ id, address }) => `${id} ${address}`).join() !== before) this.changed.emit();
  }

  #isOut({ state, sinceMs }: Seen, forMs = this.#leaseMs): boolean {
    return state.leaseLeftMs <= 0 && performance.now() - sinceMs >= forMs;
  }
}
