/** One change as the log has it: what is in it is its writer's business. */
export interface LogEntry {
  /** Counts the entries, from 1 and without gaps. */
  readonly seq: number;
  /** Unique for ever, so that a writer who lost the answer finds out whether it was written. */
  readonly id: string;
  readonly data: Buffer;
}

export type NewEntry = Pick<LogEntry, 'id' | 'data'>;

/** Where a log or a copy of it stands: the entry says that both went the same way up to here. Before the first: 0 and ''. */
export type Position = Pick<LogEntry, 'seq' | 'id'>;

/** All that the entries up to a position amount to. */
export interface Snapshot extends Position {
  /** Of what is in it; a reader of an older one leaves it alone. */
  readonly format: number;
  readonly data: Buffer;
}

/** A replica as it says of itself. */
export interface MemberFacts {
  /** New with each start. */
  readonly id: string;
  /** `ws://host:port` or `wss://…`: where other replicas reach it, and clients. */
  readonly address: string;
  readonly version: string;
  readonly startedAtMs: number;
}

/** A replica as the engine knows it. */
export interface MemberState extends MemberFacts {
  readonly appliedSeq: number;
  /** Counts its renewals. */
  readonly beat: number;
  /** By the clock of the engine; not positive: it has run out. */
  readonly leaseLeftMs: number;
}

/** What a member says when it renews its lease. */
export interface Renewing {
  readonly appliedSeq: number;
  readonly leaseMs: number;
  /** Wakes the others. */
  readonly outOfTurn: boolean;
  /** Members that are gone for good: their rows go, where their lease has run out. */
  readonly forget: readonly string[];
}

export interface Renewal {
  readonly head: Position;
  /** All that are known, also those whose lease ran out a while ago. */
  readonly members: readonly MemberState[];
}

export interface AppendOptions {
  /** Answers false too where somebody has the turn, or waits for it. */
  readonly yields?: boolean;
  readonly withinMs?: number;
}

/** A turn at the head of the log: until it is over, nobody who waits for one writes. */
export interface Turn {
  /** What follows the entry that it was asked with, and where the log stands. */
  readonly entries: readonly LogEntry[];
  readonly head: Position;
  /** As `append` of the log. The turn is over then. */
  append(after: number, entry: NewEntry): Promise<boolean>;
  /** It is over, also where nothing was written. */
  end(): Promise<void>;
}

/**
 * The one order of all changes, and who takes part. Whatever is acknowledged here is on disk at the engine. Each method fails with
 * EHOSTDOWN within seconds where the engine cannot be reached: then nothing is known of what it was to do.
 */
export interface ReplicatedLog {
  readonly engine: 'postgresql' | 'embedded';
  /** Which log it is: another database has another. */
  readonly logId: string;

  /**
   * Writes the entry as the one that follows `after`. Answers false where another stands there: it is to be read first. An entry that
   * stands there already, by its id, is answered true: an append whose answer was lost can be repeated, where it does not yield.
   */
  append(after: number, entry: NewEntry, options?: AppendOptions): Promise<boolean>;

  /**
   * Waits for its turn to write, and answers what the log has by then; undefined where the turn did not come in a moment. Turns save work,
   * and nothing depends on them: who does not yield may write first, and the turn of one who says nothing for a moment is over.
   */
  beginTurn(after: number, limit: number): Promise<Turn | undefined>;

  /**
   * Up to `limit` entries that follow `after`, and where the log stands. What it answers is no older than the question.
   * @throws FsError EOVERFLOW where some of them were trimmed: the newest snapshot has them
   */
  read(
    after: number,
    limit: number,
  ): Promise<{ readonly entries: readonly LogEntry[]; readonly head: Position }>;

  /** The id of an entry that is kept; undefined for any other. */
  idAt(seq: number): Promise<string | undefined>;

  /**
   * Calls with the number of an entry that was appended, and with null when a member renewed out of turn, or anything may have happened;
   * perhaps late, perhaps never: it only saves waiting.
   */
  follow(wake: (appended: number | null) => void): () => void;

  /** The newest snapshot of at most this format. */
  newestSnapshot(format: number): Promise<Snapshot | undefined>;
  /** The place and format of the newest snapshot, of any format. */
  lastSnapshot(): Promise<(Position & { readonly format: number }) | undefined>;
  writeSnapshot(snapshot: Snapshot): Promise<void>;
  /** Forgets entries up to `seq`, and snapshots but for the newest. */
  trim(seq: number): Promise<void>;

  /** Its lease runs from now by the engine's clock. */
  renew(member: MemberFacts, renewing: Renewing): Promise<Renewal>;
  /** The member is gone, and needs not be waited for. */
  leave(memberId: string): Promise<void>;

  /** Facts for people: the host that is connected, how often it was connected anew. Never a secret. */
  facts(): { readonly host: string | null; readonly reconnects: number };
  close(): Promise<void>;
}
