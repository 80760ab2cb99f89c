import type { Sql } from 'postgres';
import { FsError } from '../core/index.js';
import { isBefore, SeenLineage, type LineageMemory } from './lineage.js';
import { endNow, nameOf, openHost, rivalsOf, type Connected, type LinkOptions } from './postgres-host.js';
import { storeName } from './store-address.js';
import { within } from './within.js';

/** A question to PostgreSQL is given up after this, and its connection with it. */
export const ANSWER_MS = 2_500;
/** Between the tries of one host and the next, unless that one failed before. */
const NEXT_HOST_MS = 250;
/** Between rounds over all hosts: from this on doubled, up to the longest, half of it by chance. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
/** How often the other hosts are looked at while one is in use. */
const LOOK_MS = 5_000;

/**
 * Connections to the one host of several that takes writes. What is asked fails with EHOSTDOWN within seconds where there is none; the
 * next question looks for it anew.
 */
export class PostgresLink {
  readonly #options: LinkOptions;
  readonly #memory: LineageMemory;
  readonly #warned = new Set<string>();
  #looking: NodeJS.Timeout | undefined;
  #connected: Promise<Connected> | undefined;
  #current: Connected | undefined;
  #connects = 0;
  #failures = 0;
  #notBefore = 0;
  #isClosed = false;
  #listener: { readonly channel: string; readonly heard: (said: string) => void } | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#memory = options.lineage ?? new SeenLineage();
  }

  facts(): { readonly host: string | null; readonly reconnects: number } {
    const { host } = this.#current ?? {};
    return {
      host: host === undefined ? null : nameOf(host),
      reconnects: Math.max(0, this.#connects - 1),
    };
  }

  /** @throws FsError EHOSTDOWN where it cannot be reached or does not answer: it may have done what was asked, or may yet */
  async use<T>(ask: (sql: Sql) => Promise<T>, withinMs = ANSWER_MS): Promise<T> {
    const connected = await within(this.#connect(), withinMs, () => this.#away());
    return this.#ask(connected, () => ask(connected.sql), {
      withinMs,
      lost: (thrown) => this.#drop(connected, thrown),
    });
  }

  /**
   * As `use`, by the one connection of a writer. Where that is lost, as by a server that ended it because nobody said anything, the others
   * stay: a lease is renewed by them.
   */
  async useWriter<T>(ask: (writer: Sql) => Promise<T>): Promise<T> {
    const connected = await within(this.#connect(), ANSWER_MS, () => this.#away());
    const writer = connected.writer();
    return this.#ask(connected, () => ask(writer), {
      withinMs: ANSWER_MS,
      lost: (thrown) => {
        if (connected.isDoubtful() || codeOf(thrown) === READ_ONLY) this.#drop(connected, thrown);
        else connected.replaceWriter(writer);
      },
    });
  }

  async #ask<T>(
    { isDoubtful }: Connected,
    ask: () => Promise<T>,
    { withinMs, lost }: { readonly withinMs: number; readonly lost: (thrown: unknown) => void },
  ): Promise<T> {
    try {
      const answer = await within(ask(), withinMs, () => this.#away());
      if (isDoubtful()) throw this.#away(new Error('a commit no longer waited for its standbys'));
      return answer;
    } catch (thrown) {
      if (isExhausted(thrown)) throw this.#away(thrown);
      if (!isLost(thrown)) throw thrown;
      lost(thrown);
      throw FsError.is(thrown) ? thrown : this.#away(thrown);
    }
  }

  /** Other hosts that take writes as well as the one in use. @throws FsError EHOSTDOWN */
  async rivals(): Promise<{ readonly inUse: string; readonly rivals: readonly string[] }> {
    const connected = await this.#connect();
    const rivals = await rivalsOf(this.#options, connected);
    return { inUse: nameOf(connected.host), rivals: rivals.map(({ name }) => name) };
  }

  /** Calls with what somebody notifies this channel of, as long as there is a connection; with nothing when there is one again. */
  listen(channel: string, heard: (said: string) => void): void {
    this.#listener = { channel, heard };
    if (this.#current !== undefined) this.#listen(this.#current);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#looking);
    const current = this.#current;
    this.#current = undefined;
    this.#connected = undefined;
    await Promise.all([current?.sql.end({ timeout: 1 }), current?.writer().end({ timeout: 1 })]);
  }

  #connect(): Promise<Connected> {
    if (this.#isClosed) return Promise.reject(new FsError('EHOSTDOWN', 'The control plane stops.'));
    return (this.#connected ??= this.#connectAnew().then(
      (connected) => {
        this.#current = connected;
        this.#failures = 0;
        this.#connects++;
        if (this.#isClosed) endNow(connected);
        else {
          this.#listen(connected);
          void this.#lookAround(connected);
        }
        return connected;
      },
      (thrown: unknown) => {
        this.#connected = undefined;
        const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures++);
        this.#notBefore = performance.now() + pause * (0.5 + Math.random() / 2);
        throw thrown;
      },
    ));
  }

  /** The first host that takes writes. They are tried one after the other, without waiting long for one that is silent. */
  async #connectAnew(): Promise<Connected> {
    const { hosts } = this.#options.address;
    await pause(this.#notBefore - performance.now());
    const failures: unknown[] = [];
    const race: { isWon: boolean } = { isWon: false };
    let last: Promise<unknown> = Promise.resolve();
    const tries = hosts.map((host) => {
      const before = last;
      const tried = (async (): Promise<Connected> => {
        await Promise.race([before, pause(NEXT_HOST_MS)]).catch(() => undefined);
        if (race.isWon) throw new Error('Another host is there.');
        const connected = await openHost(this.#options, this.#memory, host);
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- another may have been found meanwhile
        if (race.isWon) endNow(connected);
        race.isWon = true;
        return connected;
      })();
      tried.catch((thrown: unknown) => failures.push(thrown));
      // The next is not tried at once where this one is only slow to be known as the one.
      last = tried;
      return tried;
    });
    try {
      return await Promise.any(tries);
    } catch {
      throw this.#away(
        failures.find((thrown) => FsError.is(thrown) && thrown.code === 'ESTALE') ?? failures[0],
      );
    }
  }

  /**
   * Looks whether another host takes writes too, now and again and again. One that is of after this one's life is the store; one of
   * before is somebody else's to stop.
   */
  async #lookAround(connected: Connected): Promise<void> {
    const { address, log } = this.#options;
    if (address.hosts.length === 1 || connected.lineage === undefined) return;
    const rivals = await rivalsOf(this.#options, connected);
    if (this.#current !== connected || this.#isClosed) return;
    for (const { name, lineage } of rivals) {
      if (isBefore(connected.lineage, lineage)) {
        this.#memory.learn(lineage);
        this.#drop(connected, new Error(`${name} was promoted: it is the store now`));
        return;
      }
      if (!this.#warned.has(name)) {
        this.#warned.add(name);
        log.warn('a database that was the primary before a failover takes writes still: stop it', {
          host: name,
        });
      }
    }
    this.#looking = setTimeout(() => void this.#lookAround(connected), LOOK_MS * (0.75 + Math.random() / 2));
    this.#looking.unref();
  }

  #listen({ sql }: Connected): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    sql.listen(listener.channel, listener.heard, () => listener.heard('')).catch(() => undefined);
  }

  #drop(connected: Connected, why: unknown): void {
    if (this.#current !== connected) return;
    this.#current = undefined;
    this.#connected = undefined;
    clearTimeout(this.#looking);
    endNow(connected);
    this.#options.log.warn('the connection to PostgreSQL is lost', {
      host: nameOf(connected.host),
      error: FsError.from(why).message,
    });
  }

  #away(cause?: unknown): FsError {
    const why = cause === undefined ? '' : `: ${messageOf(cause)}`;
    const what = isExhausted(cause) ? 'takes nothing' : 'cannot be reached';
    return new FsError('EHOSTDOWN', `The store ${storeName(this.#options.address)} ${what}${why}.`, {
      hint: hintFor(cause),
      cause,
    });
  }
}

/** Whether the connection, or what it leads to, is no longer any use. */
function isLost(thrown: unknown): boolean {
  if (FsError.is(thrown)) return thrown.code === 'EHOSTDOWN';
  const code = codeOf(thrown);
  if (code === undefined) return false;
  // Of PostgreSQL's own, those that end the connection, and a host that has become a standby.
  const isSqlState = /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code);
  return isSqlState ? /^(08|57P|25P03|53300|25006|XX)/.test(code) : true;
}

/** What a host says that has become a standby. */
const READ_ONLY = '25006';

function codeOf(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Whether it is there and has no room: on its disk, in its memory. */
const isExhausted = (thrown: unknown): boolean => {
  return /^(53[124]00|58030)$/.test(codeOf(thrown) ?? '');
};

const pause = (ms: number): Promise<void> =>
  ms <= 0 ? Promise.resolve() : new Promise((resolve) => void setTimeout(resolve, ms));

function messageOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.replace(/\.$/, '');
}

function hintFor(cause: unknown): string {
  if (FsError.is(cause) && cause.hint !== undefined) return cause.hint;
  const code = codeOf(cause);
  if (code === '28P01' || code === '28000')
    return 'Give the password in a file with --store-password-file, in PGPASSWORD or in ~/.pgpass, and see pg_hba.conf.';
  if (code === '3D000') return 'Make the database first: createdb NAME.';
  if (code === 'EINVAL')
    return 'Set it to on: what is acknowledged must be on disk, at all hosts that have to have it.';
  if (code === '53100' || code === '58030')
    return 'Make room on the disk of PostgreSQL; it goes on by itself then.';
  if (code === '42501') return 'Let the user make a schema: GRANT CREATE ON DATABASE.';
  return 'See that PostgreSQL runs, and that one of its hosts takes writes.';
}
