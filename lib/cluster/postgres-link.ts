import { readFileSync } from 'node:fs';
import type { Options, Sql } from 'postgres';
import { FsError, type Log } from '../core/index.js';
import { passFilePath, passwordIn, storeName, type StoreAddress, type StoreHost } from './store-address.js';

/** A question to PostgreSQL is given up after this, and its connection with it. */
export const ANSWER_MS = 2_500;
const CONNECT_MS = 1_500;
/** Between the tries of one host and the next, unless that one failed before. */
const NEXT_HOST_MS = 250;
/** Between rounds over all hosts: from this on doubled, up to the longest, half of it by chance. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
const CONNECTIONS = 4;

export interface LinkOptions {
  readonly address: StoreAddress;
  /** Before PGPASSWORD and the file of passwords. */
  readonly password: string | undefined;
  readonly log: Log;
}

/** Whether the host takes writes, and whether its acknowledgement means that they are kept. */
const STATE = `SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') AS read_only,
  current_setting('synchronous_commit') AS waits`;

interface Connected {
  readonly sql: Sql;
  /** One connection for one writer: what is sent is done in its order, without waiting for answers between. */
  readonly writer: Sql;
  readonly host: StoreHost;
}

/**
 * Connections to the one host of several that takes writes. What is asked fails with EHOSTDOWN within seconds where there is none; the
 * next question looks for it anew.
 */
export class PostgresLink {
  readonly #options: LinkOptions;
  #connected: Promise<Connected> | undefined;
  #current: Connected | undefined;
  #connects = 0;
  #failures = 0;
  #notBefore = 0;
  #isClosed = false;
  #listener: { readonly channel: string; readonly heard: (said: string) => void } | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  facts(): { readonly host: string | null; readonly reconnects: number } {
    const { host } = this.#current ?? {};
    return {
      host: host === undefined ? null : `${host.host}:${host.port}`,
      reconnects: Math.max(0, this.#connects - 1),
    };
  }

  /** @throws FsError EHOSTDOWN where it cannot be reached or does not answer: it may have done what was asked, or may yet */
  async use<T>(ask: (sql: Sql, writer: Sql) => Promise<T>, withinMs = ANSWER_MS): Promise<T> {
    const connected = await within(this.#connect(), withinMs, () => this.#away());
    try {
      return await within(ask(connected.sql, connected.writer), withinMs, () => this.#away());
    } catch (thrown) {
      if (isExhausted(thrown)) throw this.#away(thrown);
      if (!isLost(thrown)) throw thrown;
      this.#drop(connected, thrown);
      throw FsError.is(thrown) ? thrown : this.#away(thrown);
    }
  }

  /** Calls with what somebody notifies this channel of, as long as there is a connection; with nothing when there is one again. */
  listen(channel: string, heard: (said: string) => void): void {
    this.#listener = { channel, heard };
    if (this.#current !== undefined) this.#listen(this.#current);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const current = this.#current;
    this.#current = undefined;
    this.#connected = undefined;
    await Promise.all([current?.sql.end({ timeout: 1 }), current?.writer.end({ timeout: 1 })]);
  }

  #connect(): Promise<Connected> {
    if (this.#isClosed) return Promise.reject(new FsError('EHOSTDOWN', 'The control plane stops.'));
    return (this.#connected ??= this.#connectAnew().then(
      (connected) => {
        this.#current = connected;
        this.#failures = 0;
        this.#connects++;
        if (this.#isClosed) endNow(connected);
        else this.#listen(connected);
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
        const connected = await this.#tryHost(host);
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
      throw this.#away(failures[0]);
    }
  }

  async #tryHost(host: StoreHost): Promise<Connected> {
    const { default: postgres } = await import('postgres');
    const sql = postgres(this.#settingsFor(host));
    try {
      const asked = sql.unsafe(STATE);
      const [state] = await within(asked, CONNECT_MS, () => this.#away());
      if (state?.['standby'] === true || state?.['read_only'] === 'on')
        throw new FsError('EROFS', `${host.host}:${host.port} takes no writes: it is a standby.`);
      if (state?.['waits'] === 'off' || state?.['waits'] === 'local')
        throw new FsError(
          'EINVAL',
          `synchronous_commit is ${state['waits'] as string} at ${host.host}:${host.port}.`,
        );
      // It connects once it is asked something.
      return { sql, writer: postgres({ ...this.#settingsFor(host), max: 1 }), host };
    } catch (thrown) {
      sql.end({ timeout: 0 }).catch(() => undefined);
      throw thrown;
    }
  }

  #settingsFor(host: StoreHost): Options<Record<string, never>> {
    const { address, password = process.env['PGPASSWORD'], log } = this.#options;
    const isSocket = host.host.startsWith('/');
    return {
      ...(isSocket ? { path: `${host.host}/.s.PGSQL.${host.port}` } : { host: host.host, port: host.port }),
      database: address.database,
      username: address.user,
      password: password ?? (() => passwordIn(textOf(passFilePath()), address, host) ?? ''),
      ssl: isSocket ? false : tlsOptions(address, host),
      max: CONNECTIONS,
      connect_timeout: CONNECT_MS / 1000,
      idle_timeout: 0,
      max_lifetime: null,
      fetch_types: false,
      onnotice: ({ severity, message }) => {
        if (severity === 'WARNING') log.warn('PostgreSQL warns', { message });
      },
      connection: {
        application_name: 'acheron',
        // To give up waiting for the standbys would be to acknowledge what only one machine has.
        statement_timeout: 0,
        search_path: address.schema,
      },
    };
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
    endNow(connected);
    const { host, port } = connected.host;
    this.#options.log.warn('the connection to PostgreSQL is lost', {
      host: `${host}:${port}`,
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

function endNow({ sql, writer }: Connected): void {
  for (const one of [sql, writer]) one.end({ timeout: 0 }).catch(() => undefined);
}

/** Whether the connection, or what it leads to, is no longer any use. */
function isLost(thrown: unknown): boolean {
  if (FsError.is(thrown)) return thrown.code === 'EHOSTDOWN';
  const code = (thrown as { code?: unknown } | undefined)?.code;
  if (typeof code !== 'string') return false;
  // Of PostgreSQL's own, those that end the connection, and a host that has become a standby.
  const isSqlState = /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code);
  return isSqlState ? /^(08|57P|53300|25006|XX)/.test(code) : true;
}

/** Whether it is there and has no room: on its disk, in its memory. */
const isExhausted = (thrown: unknown): boolean => {
  const code = (thrown as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && /^(53[124]00|58030)$/.test(code);
};

/** What `asked` answers, unless it takes too long. */
async function within<T>(asked: Promise<T>, withinMs: number, late: () => FsError): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), withinMs);
  });
  asked.catch(() => undefined);
  try {
    return await Promise.race([asked, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

const pause = (ms: number): Promise<void> =>
  ms <= 0 ? Promise.resolve() : new Promise((resolve) => void setTimeout(resolve, ms));

function messageOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.replace(/\.$/, '');
}

function hintFor(cause: unknown): string {
  const code = (cause as { code?: unknown } | undefined)?.code;
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

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Without such a file there is no password in it.
    return '';
  }
}

function tlsOptions(address: StoreAddress, { host }: StoreHost): object | false | 'prefer' {
  const { sslMode, sslRootCert, sslCert, sslKey } = address;
  if (sslMode === 'disable') return false;
  if (sslMode === 'prefer') return 'prefer';
  const read = (path: string | undefined): Buffer | undefined =>
    path === undefined ? undefined : readFileSync(path);
  const files = { ca: read(sslRootCert), cert: read(sslCert), key: read(sslKey) };
  const isNamed = sslMode === 'verify-full';
  return {
    ...Object.fromEntries(Object.entries(files).filter(([, value]) => value !== undefined)),
    rejectUnauthorized: isNamed || sslMode === 'verify-ca',
    ...(isNamed ? { servername: host } : { checkServerIdentity: () => undefined }),
  };
}
