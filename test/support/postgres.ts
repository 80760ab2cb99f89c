import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { until } from './until.js';
import { freePort } from './free-port.js';

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
const ORDINARY = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
const USER = 'acheron';

const SETTINGS = `
listen_addresses = '127.0.0.1'
max_connections = 60
shared_buffers = 16MB
wal_level = replica
max_wal_senders = 8
hot_standby = on
wal_keep_size = 64MB
wal_receiver_timeout = 5s
wal_sender_timeout = 5s
wal_retrieve_retry_interval = 200ms
autovacuum = on
logging_collector = off
log_min_messages = warning
`;

/** A server of PostgreSQL in a temporary directory, with real fsync, as an ordinary user. */
export class PostgresServer {
  readonly dir: string;
  readonly port: number;
  #child: ChildProcess | undefined;
  said = '';

  private constructor(dir: string, port: number) {
    this.dir = dir;
    this.port = port;
  }

  static async primary(t: Teardown): Promise<PostgresServer> {
    const server = await PostgresServer.#make(t);
    run('initdb', [
      '-D',
      server.data,
      '-U',
      USER,
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--no-locale',
      '--no-instructions',
    ]);
    server.configure(`${SETTINGS}\nport = ${server.port}\nunix_socket_directories = '${server.dir}'`);
    await server.start();
    await server.query('CREATE DATABASE acheron');
    return server;
  }

  /** A copy that follows a primary, which waits for it with each commit from now on. */
  static async standby(t: Teardown, primary: PostgresServer): Promise<PostgresServer> {
    const server = await PostgresServer.#make(t);
    run('pg_basebackup', [
      ...['-D', server.data, '-h', '127.0.0.1', '-p', String(primary.port), '-U', USER],
      ...['-R', '-X', 'stream', '-c', 'fast', '-d', 'application_name=standby'],
    ]);
    server.configure(`port = ${server.port}\nunix_socket_directories = '${server.dir}'`);
    await server.start();
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
    return server;
  }

  static async #make(t: Teardown): Promise<PostgresServer> {
    const dir = mkdtempSync(join(tmpdir(), 'acheron-pg-'));
    chmodSync(dir, 0o755);
    if (ORDINARY.uid !== undefined) execFileSync('chown', [`${ORDINARY.uid}:${ORDINARY.gid}`, dir]);
    const server = new PostgresServer(dir, await freePort());
    t.teardown(async () => {
      await server.kill();
      rmSync(dir, { recursive: true, force: true });
    });
    return server;
  }

  get data(): string {
    return join(this.dir, 'data');
  }

  /** As `acheron control --store` takes it; several hosts are tried in their order. */
  static url(...servers: readonly { readonly port: number }[]): string {
    return `postgres://${USER}@${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}/acheron`;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async start(): Promise<void> {
    const child = spawn(join(POSTGRES_BIN!, 'postgres'), ['-D', this.data], {
      ...ORDINARY,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
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

  async query(
    text: string,
    database = this.#child === undefined ? 'postgres' : 'postgres',
  ): Promise<Record<string, unknown>[]> {
    const sql = postgres({
      ...{ host: '127.0.0.1', port: this.port, user: USER, database, max: 1, fetch_types: false },
      connect_timeout: 3,
      onnotice: () => undefined,
    });
    try {
      return [...(await sql.unsafe(text))];
    } finally {
      await sql.end({ timeout: 1 });
    }
  }
}

function run(program: string, args: readonly string[]): void {
  mkdirSync('/tmp', { recursive: true });
  execFileSync(join(POSTGRES_BIN!, program), args, {
    ...ORDINARY,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], LC_ALL: 'C', HOME: '/nonexistent' },
  });
}
