import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { freePort } from './free-port.js';
import { HERE, type Host } from './hosts.js';
import { until } from './until.js';

interface Teardown {
  teardown(callback: () => void | Promise<void>): void;
}

/** Where Debian has the programs of a server; undefined where there is none. */
export const POSTGRES_BIN = ((): string | undefined => {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return undefined;
  const [newest] = readdirSync(root).sort((a, b) => Number(b) - Number(a));
  const bin = join(root, newest ?? '', 'bin');
  return existsSync(join(bin, 'initdb')) ? bin : undefined;
})();

/** Why tests of PostgreSQL do not run here; false where they do. */
export const noPostgres =
  POSTGRES_BIN === undefined ? 'PostgreSQL is not installed (Debian: postgresql)' : false;

/** The superuser may not run it: then an ordinary user does. */
const ORDINARY =
  process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'] : [];
const USER = 'acheron';
const ENVIRONMENT = { PATH: process.env['PATH'], LC_ALL: 'C', HOME: '/nonexistent' };

/** Small segments: it soon notices that a disk is full. */
const SETTINGS = `
min_wal_size = 8MB
max_wal_size = 64MB
max_connections = 60
shared_buffers = 16MB
wal_level = replica
max_wal_senders = 8
hot_standby = on
wal_keep_size = 32MB
wal_receiver_timeout = 5s
wal_sender_timeout = 5s
wal_retrieve_retry_interval = 200ms
autovacuum = on
logging_collector = off
log_min_messages = warning
`;

export interface PostgresPlace {
  readonly host?: Host;
  /** Where its files are; a temporary directory of its own unless given. */
  readonly dir?: string;
  /** A command that runs it: by another clock. */
  readonly by?: readonly string[];
}

/** A server of PostgreSQL in a temporary directory, with real fsync, as an ordinary user. */
export class PostgresServer {
  readonly dir: string;
  readonly host: Host;
  readonly port: number;
  readonly #by: readonly string[];
  #child: ChildProcess | undefined;
  said = '';

  private constructor({ dir, host = HERE, by = [] }: PostgresPlace & { readonly dir: string }, port: number) {
    this.dir = dir;
    this.host = host;
    this.port = port;
    this.#by = [...host.by, ...ORDINARY, ...by];
  }

  static async primary(t: Teardown, place: PostgresPlace = {}): Promise<PostgresServer> {
    const server = await PostgresServer.#make(t, place);
    server.#run('initdb', [
      ...['-D', server.data, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-instructions'],
      '--wal-segsize=1',
    ]);
    if (server.host !== HERE)
      appendFileSync(
        join(server.data, 'pg_hba.conf'),
        'host all all 198.18.0.0/15 trust\nhost replication all 198.18.0.0/15 trust\n',
      );
    server.configure(SETTINGS + server.#own);
    await server.start();
    await server.query('CREATE DATABASE acheron');
    return server;
  }

  /** A copy that follows a primary, which waits for it with each commit from now on. */
  static async standby(
    t: Teardown,
    primary: PostgresServer,
    place: PostgresPlace = {},
  ): Promise<PostgresServer> {
    const server = await PostgresServer.#make(t, place);
    await server.follow(primary);
    return server;
  }

  static async #make(t: Teardown, place: PostgresPlace): Promise<PostgresServer> {
    const dir = place.dir ?? mkdtempSync(join(tmpdir(), 'acheron-pg-'));
    chmodSync(dir, 0o755);
    if (ORDINARY.length > 0) execFileSync('chown', ['65534:65534', dir]);
    const server = new PostgresServer({ ...place, dir }, await freePort());
    t.teardown(async () => {
      await server.kill();
      if (place.dir === undefined) rmSync(dir, { recursive: true, force: true });
    });
    return server;
  }

  /** Begins anew, as a standby of `primary`; what it had is gone. */
  async follow(primary: PostgresServer): Promise<void> {
    await this.kill();
    rmSync(this.data, { recursive: true, force: true });
    this.#run('pg_basebackup', [
      ...['-D', this.data, '-h', primary.host.address, '-p', String(primary.port), '-U', USER],
      ...['-R', '-X', 'stream', '-c', 'fast', '-d', 'application_name=standby'],
    ]);
    this.configure(`synchronous_standby_names = ''\n${this.#own}`);
    await this.start();
    primary.configure(`synchronous_standby_names = 'FIRST 1 (standby, walreceiver)'`);
    primary.reload();
    await until(
      async () => {
        const [row] = await primary.query('SELECT sync_state FROM pg_stat_replication');
        return row?.['sync_state'] === 'sync';
      },
      'the standby',
      30_000,
    );
  }

  get data(): string {
    return join(this.dir, 'data');
  }

  get #own(): string {
    return `listen_addresses = '${this.host.address}'\nport = ${this.port}\nunix_socket_directories = '${this.dir}'`;
  }

  /** As `acheron control --store` takes it; several hosts are tried in their order. */
  static url(...servers: readonly { readonly port: number; readonly host?: Host }[]): string {
    const hosts = servers.map(({ port, host = HERE }) => `${host.address}:${port}`);
    return `postgres://${USER}@${hosts.join(',')}/acheron`;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async start(): Promise<void> {
    const [program, ...args] = [...this.#by, join(POSTGRES_BIN!, 'postgres'), '-D', this.data];
    const child = spawn(program, args, {
      ...{ cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], env: ENVIRONMENT },
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    this.#child = child;
    await until(
      async () => {
        if (!this.isRunning) throw new Error(`PostgreSQL ended:\n${this.said}`);
        return this.query('SELECT 1').then(
          () => true,
          () => false,
        );
      },
      `PostgreSQL to start: ${this.said}`,
      60_000,
    );
  }

  /** At once, as when the machine loses power; what was written stays. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const ended = once(child, 'exit');
    // It ends its children by itself, without waiting for them.
    process.kill(child.pid!, 'SIGQUIT');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(timer);
  }

  async promote(): Promise<void> {
    await this.query('SELECT pg_promote(true, 30)');
    await until(async () => (await this.query('SELECT pg_is_in_recovery() AS r'))[0]?.['r'] === false);
  }

  configure(text: string): void {
    appendFileSync(join(this.data, 'postgresql.auto.conf'), `${text}\n`);
  }

  reload(): void {
    this.#child?.kill('SIGHUP');
  }

  async query(text: string, database = 'postgres'): Promise<Record<string, unknown>[]> {
    const sql = postgres({
      ...{ host: this.host.address, port: this.port, user: USER, database, max: 1, fetch_types: false },
      connect_timeout: 3,
      onnotice: () => undefined,
    });
    try {
      return [...(await sql.unsafe(text))];
    } finally {
      await sql.end({ timeout: 1 });
    }
  }

  #run(program: string, args: readonly string[]): void {
    const [first, ...rest] = [...this.#by, join(POSTGRES_BIN!, program), ...args];
    execFileSync(first!, rest, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], env: ENVIRONMENT });
  }
}
