import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { cleanEnvironment } from './mount-child.js';

const PROGRAM = `
import errno, fcntl, json, os, signal, struct, sys
KINDS = {'shared': fcntl.LOCK_SH, 'exclusive': fcntl.LOCK_EX, 'none': fcntl.LOCK_UN}
TYPES = {'shared': fcntl.F_RDLCK, 'exclusive': fcntl.F_WRLCK, 'none': fcntl.F_UNLCK}
OFD_SETLK = 37
def interrupted(*_): raise InterruptedError(errno.EINTR, 'interrupted')
def alarm(seconds): signal.setitimer(signal.ITIMER_REAL, seconds)
def getlk(fd, kind, start, length):
    asked = struct.pack('hhqqi', TYPES[kind], os.SEEK_SET, start, length, 0)
    kind, _, start, length, pid = struct.unpack('hhqqi', fcntl.fcntl(fd, fcntl.F_GETLK, asked + bytes(4))[:28])
    return [next(name for name in TYPES if TYPES[name] == kind), start, length, pid]
def ofd(fd, kind, start, length):
    fcntl.fcntl(fd, OFD_SETLK, struct.pack('hhqqi', TYPES[kind], os.SEEK_SET, start, length, 0) + bytes(4))
def forks():
    pid = os.fork()
    if pid == 0: signal.pause()
    return pid
ACTS = {
    'open': lambda path, how: os.open(path, getattr(os, how)),
    'close': os.close,
    'dup': os.dup,
    'flock': lambda fd, kind: fcntl.flock(fd, KINDS[kind]),
    'tryFlock': lambda fd, kind: fcntl.flock(fd, KINDS[kind] | fcntl.LOCK_NB),
    'lock': lambda fd, kind, start=0, length=0: fcntl.lockf(fd, KINDS[kind], length, start),
    'tryLock': lambda fd, kind, start=0, length=0: fcntl.lockf(fd, KINDS[kind] | fcntl.LOCK_NB, length, start),
    'ofd': ofd, 'getlk': getlk, 'alarm': alarm, 'fork': forks,
    'write': lambda fd, text: os.write(fd, text.encode()),
}
signal.signal(signal.SIGALRM, interrupted)
for line in sys.stdin:
    name, *args = json.loads(line)
    try: said = ACTS[name](*args)
    except OSError as error: said = 'EDEADLK' if error.errno == errno.EDEADLK else errno.errorcode[error.errno]
    print(json.dumps(said), flush=True)
`;

/** Another process, which does to files what it is asked to. */
export class Locker {
  readonly #child;
  readonly #said;

  constructor(t: Test, cwd: string) {
    this.#child = spawn('python3', ['-c', PROGRAM], {
      cwd,
      env: cleanEnvironment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#said = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    t.teardown(() => this.kill());
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** What the act gives: null where it is nothing, and the error's name where it fails. */
  async do(act: string, ...args: unknown[]): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify([act, ...args])}\n`);
    const { value, done } = await this.#said.next();
    if (done === true) throw new Error(`The locker ended in ${act}.`);
    return JSON.parse(value) as unknown;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
