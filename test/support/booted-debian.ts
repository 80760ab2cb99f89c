import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Test } from 'tap';
import { until } from './until.js';

/** What a machine with Acheron has before it is installed. */
const PACKAGES = 'systemd,systemd-sysv,dbus,nodejs,fuse3,adduser,sudo,procps,ca-certificates';
const MIRROR = process.env.ACHERON_TEST_MIRROR ?? 'http://deb.debian.org/debian';

/** Why none can be had here; false where one can. */
export function whyNoDebian(): string | false {
  if (process.getuid?.() !== 0) return 'it takes root';
  const missing = ['debootstrap', 'systemd-nspawn', 'nsenter'].filter(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0,
  );
  return missing.length === 0 ? false : `${missing.join(', ')} is not installed`;
}

/**
 * A Debian 13 with its own systemd, booted in namespaces; its root is an overlay, of which nothing is left. `ACHERON_TEST_DEBIAN`
 * names a folder with one that debootstrap has made; without, one is made.
 */
export class BootedDebian {
  readonly #dir: string;
  readonly #base: string;
  #nspawn: ChildProcess | undefined;
  #leader = 0;

  private constructor(dir: string, base: string) {
    this.#dir = dir;
    this.#base = base;
  }

  static async prepare(t: Test, dir: string): Promise<BootedDebian> {
    let base = process.env.ACHERON_TEST_DEBIAN;
    if (base === undefined) {
      base = join(dir, 'base');
      await execa('debootstrap', ['--variant=minbase', `--include=${PACKAGES}`, 'trixie', base, MIRROR]);
    }
    for (const name of ['upper', 'work', 'root', 'shared']) mkdirSync(join(dir, name));
    const made = new BootedDebian(dir, base);
    t.teardown(async () => {
      await made.powerOff();
      rmSync(dir, { recursive: true, force: true });
    });
    return made;
  }

  /** Puts a file where the machine sees it as `/shared/NAME`. */
  share(file: string, name: string): void {
    copyFileSync(file, join(this.#dir, 'shared', name));
  }

  async boot(): Promise<void> {
    const d = this.#dir;
    // A tree of control groups of its own kind, whatever this machine has; and a loopback of its own.
    const script = [
      'mount --make-rprivate /',
      `mount -t overlay overlay -o lowerdir=${this.#base},upperdir=${d}/upper,workdir=${d}/work ${d}/root`,
      'umount -R /sys/fs/cgroup',
      'mount -t cgroup2 none /sys/fs/cgroup',
      `exec systemd-nspawn -q -D ${d}/root --register=no --keep-unit --private-network --bind=/dev/fuse --bind=${d}/shared:/shared -M acheron-test-${process.pid} --boot --console=pipe`,
    ];
    const child = spawn('unshare', ['-m', 'sh', '-ec', script.join('\n')], { stdio: 'ignore' });
    this.#nspawn = child;
    await until(
      async () => {
        if (child.exitCode !== null) throw new Error(`systemd-nspawn ended with ${child.exitCode}.`);
        this.#leader = leaderBelow(child.pid!);
        if (this.#leader === 0) return false;
        const { stdout } = await this.run('systemctl is-system-running');
        return stdout === 'running' || stdout === 'degraded';
      },
      'systemd in the machine',
      120_000,
    );
  }

  /** Runs `script` with sh as root in the machine. */
  async run(script: string) {
    const into = ['-t', String(this.#leader), '-m', '-u', '-i', '-n', '-p', '-C', '-r', '-w'];
    const env = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LANG=C.UTF-8'];
    const sh = ['DEBIAN_FRONTEND=noninteractive', 'sh', '-c', script];
    return execa('nsenter', [...into, ...env, ...sh], { reject: false, stdin: 'ignore' });
  }

  async powerOff(): Promise<void> {
    const child = this.#nspawn;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    // systemd stops its units, in their order, on this signal.
    child.kill('SIGTERM');
    await ended;
  }
}

/** The init of the machine: the child of nspawn that is called systemd; 0 while there is none. */
function leaderBelow(parent: number): number {
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    const file = `/proc/${name}/stat`;
    if (!existsSync(file)) continue;
    try {
      const [, comm, ppid] = /^\d+ \((.*)\) \S (\d+)/s.exec(readFileSync(file, 'utf8')) ?? [];
      if (Number(ppid) === parent && comm === 'systemd') return Number(name);
    } catch {
      // It has ended.
    }
  }
  return 0;
}
