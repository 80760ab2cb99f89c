import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as passed } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CannotRun, type Bench } from './bench.js';
import { freshDir } from './mounts.js';
import type { Served } from './served.js';
import { plainEnvironment } from './tools.js';
import { freePort } from '../test/support/free-port.js';

const run = promisify(execFile);
const READY_MS = 20_000;
/** sshd insists on it; Debian's service makes it at each start of the machine. */
const SSHD_EMPTY_DIR = '/run/sshd';

/**
 * `source` as a user would reach it on another machine today: sshfs, over a server of the bench's own on loopback, with
 * keys and settings of its own.
 * @throws CannotRun where sshfs or the server is missing, or does not come up
 */
export async function mountSshfs(bench: Bench, source: string): Promise<Served> {
  const sshd = programAt('/usr/sbin/sshd', 'openssh-server');
  const sshfs = programAt('/usr/bin/sshfs', 'sshfs');
  const folder = `${freshDir(bench)}-ssh`;
  const dir = freshDir(bench);
  await mkdir(folder, { mode: 0o700 });
  await mkdir(dir);
  const key = await newKey(join(folder, 'key'));
  await writeFile(join(folder, 'authorized_keys'), readFileSync(`${key}.pub`), { mode: 0o600 });
  const port = await freePort();
  const isOurs = process.getuid?.() === 0 && !existsSync(SSHD_EMPTY_DIR);
  if (isOurs) await mkdir(SSHD_EMPTY_DIR, { mode: 0o755 });
  const started: Started[] = [];
  const stop = async (): Promise<void> => {
    for (const each of started.reverse()) await each.end();
    if (isOurs) await rmdir(SSHD_EMPTY_DIR);
  };
  try {
    await writeFile(join(folder, 'sshd_config'), serverSettings(folder, await newKey(join(folder, 'host'))));
    const server = new Started(sshd, ['-D', '-e', '-f', join(folder, 'sshd_config'), '-p', String(port)]);
    started.push(server);
    await server.until(() => server.said.includes('Server listening'));
    const mount = new Started(sshfs, [
      '-f',
      `${userInfo().username}@127.0.0.1:${source}`,
      dir,
      ...clientSettings(key, port),
    ]);
    started.push(mount);
    await mount.until(() => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${dir} `));
    return { dir, pid: mount.pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function serverSettings(folder: string, hostKey: string): string {
  return [
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'Subsystem sftp internal-sftp',
    '',
  ].join('\n');
}

/** Nothing of the user's own settings; of sshfs itself all is as it comes. */
function clientSettings(key: string, port: number): string[] {
  return [
    '-F',
    '/dev/null',
    '-p',
    String(port),
    '-o',
    `IdentityFile=${key}`,
    '-o',
    'IdentitiesOnly=yes',
  ].concat(['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR']);
}

function programAt(path: string, debianPackage: string): string {
  if (existsSync(path)) return path;
  throw new CannotRun(`there is no ${path}; on Debian: apt-get install ${debianPackage}`);
}

async function newKey(path: string): Promise<string> {
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'acheron-bench', '-f', path]);
  return path;
}

/** A program of the bench's own, with what it said. */
class Started {
  said = '';
  readonly #child: ChildProcess;
  readonly #command: string;

  constructor(command: string, args: readonly string[]) {
    this.#command = command;
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: plainEnvironment() });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.said = (this.said + text).slice(-4000)));
    this.#child.on('error', (error) => (this.said += error.message));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** @throws CannotRun where it ends before, or takes too long */
  async until(isReady: () => boolean): Promise<void> {
    const endMs = performance.now() + READY_MS;
    while (!isReady()) {
      if (this.#hasEnded || performance.now() > endMs)
        throw new CannotRun(`${this.#command} did not come up: ${this.said.trim()}`);
      await passed(20);
    }
  }

  async end(): Promise<void> {
    if (this.#hasEnded) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await gone;
  }

  get #hasEnded(): boolean {
    return this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
