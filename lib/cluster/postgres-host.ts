import { readFileSync } from 'node:fs';
import type { Options, Sql } from 'postgres';
import { FsError, type Log } from '../core/index.js';
import { isBefore, isSame, lineageOf, type Lineage, type LineageMemory } from './lineage.js';
import { passFilePath, passwordIn, type StoreAddress, type StoreHost } from './store-address.js';
import { within } from './within.js';

const CONNECT_MS = 1_500;
const CONNECTIONS = 4;

export interface LinkOptions {
  readonly address: StoreAddress;
  /** Before PGPASSWORD and the file of passwords. */
  readonly password: string | undefined;
  readonly log: Log;
  /** What is known of the store's lineage; without it, what this process has seen. */
  readonly lineage?: LineageMemory;
}

/** Whether the host takes writes, and whether its acknowledgement means that they are kept. */
const STATE = `SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') AS read_only,
  current_setting('synchronous_commit') AS waits`;

/** Where PostgreSQL says that a commit no longer waits for its standbys, because somebody ended the wait. */
const WAIT_WAS_ENDED = 'SyncRepWaitForLSN';

/** Connections to one host that takes writes. */
export interface Connected {
  readonly sql: Sql;
  /** One connection for one writer: what is sent is done in its order, without waiting for answers between. */
  readonly writer: () => Sql;
  /** That connection is no use any more: another takes its place. */
  readonly replaceWriter: (lost: Sql) => void;
  readonly host: StoreHost;
  readonly lineage: Lineage | undefined;
  /** Something was acknowledged here that its standbys may not have. */
  readonly isDoubtful: () => boolean;
}

/**
 * Connects to a host that takes writes.
 * @throws FsError EROFS for a standby, ESTALE for one that was the primary before a failover, EINVAL where commits do not wait;
 * EHOSTDOWN where it is silent; what the client of PostgreSQL throws
 */
export async function openHost(
  options: LinkOptions,
  memory: LineageMemory,
  host: StoreHost,
): Promise<Connected> {
  const { default: postgres } = await import('postgres');
  let doubts = false;
  const settings = settingsFor(options, host, () => (doubts = true));
  const sql = postgres(settings);
  try {
    const lineage = await within(lineageIfPrimary(sql, host), CONNECT_MS, silent);
    const { known, path } = memory;
    if (lineage !== undefined && known !== undefined && isBefore(lineage, known))
      throw fromBefore(host, lineage, known, path);
    if (lineage !== undefined && !isSame(lineage, known)) memory.learn(lineage);
    // It connects once it is asked something.
    const newWriter = (): Sql => postgres({ ...settings, max: 1 });
    let writer = newWriter();
    return {
      ...{ sql, host, lineage, isDoubtful: () => doubts },
      writer: () => writer,
      replaceWriter: (lost) => {
        if (lost !== writer) return;
        endOne(lost);
        writer = newWriter();
      },
    };
  } catch (thrown) {
    endOne(sql);
    throw thrown;
  }
}

/** Another host of the same cluster that takes writes. */
export interface Rival {
  readonly name: string;
  readonly lineage: Lineage;
}

/** The other hosts of the address that take writes, though they are of the same cluster: of two, one was promoted and the other is the old one. */
export async function rivalsOf(options: LinkOptions, { host, lineage }: Connected): Promise<Rival[]> {
  if (lineage === undefined) return [];
  const others = options.address.hosts.filter((other) => other !== host);
  const found = await Promise.all(
    others.map(async (other) => ({ name: nameOf(other), lineage: await lookAt(options, other) })),
  );
  return found.flatMap(({ name, lineage: theirs }) =>
    theirs !== undefined && theirs.system === lineage.system && theirs.timeline !== lineage.timeline
      ? { name, lineage: theirs }
      : [],
  );
}

export const nameOf = ({ host, port }: StoreHost): string => `${host}:${port}`;

/** The lineage of a host that takes writes, or undefined where it takes none, cannot be reached, or has none. */
async function lookAt(options: LinkOptions, host: StoreHost): Promise<Lineage | undefined> {
  const { default: postgres } = await import('postgres');
  const sql = postgres({ ...settingsFor(options, host, () => undefined), max: 1 });
  try {
    return await within(lineageIfPrimary(sql, host), CONNECT_MS, silent);
  } catch {
    // A standby, one that is away, or that lets us not in: it takes no writes of ours.
    return undefined;
  } finally {
    endOne(sql);
  }
}

export function endNow({ sql, writer }: Connected): void {
  for (const one of [sql, writer()]) endOne(one);
}

function endOne(sql: Sql): void {
  sql.end({ timeout: 0 }).catch(() => undefined);
}

async function lineageIfPrimary(sql: Sql, host: StoreHost): Promise<Lineage | undefined> {
  const [state] = await sql.unsafe(STATE);
  if (state?.['standby'] === true || state?.['read_only'] === 'on')
    throw new FsError('EROFS', `${nameOf(host)} takes no writes: it is a standby.`);
  if (state?.['waits'] === 'off' || state?.['waits'] === 'local')
    throw new FsError('EINVAL', `synchronous_commit is ${state['waits'] as string} at ${nameOf(host)}.`);
  return lineageOf(sql);
}

const silent = (): FsError => new FsError('EHOSTDOWN', 'It does not answer.');

function fromBefore(host: StoreHost, one: Lineage, known: Lineage, path: string | undefined): FsError {
  return new FsError(
    'ESTALE',
    `${nameOf(host)} takes writes, but was the primary before a failover: it is on timeline ${one.timeline}, the store on ${known.timeline}.`,
    {
      hint: `Stop it there, or make it a standby of the new primary (pg_rewind).${path === undefined ? '' : ` If the store was put back to before on purpose, remove ${path}.`}`,
    },
  );
}

function settingsFor(
  { address, password = process.env['PGPASSWORD'], log }: LinkOptions,
  host: StoreHost,
  doubt: () => void,
): Options<Record<string, never>> {
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
    onnotice: ({ severity, message, routine }) => {
      if (routine === WAIT_WAS_ENDED) doubt();
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
