import { spawn, type ChildProcess } from 'node:child_process';
import type { Test } from 'tap';
import { PROGRAM } from './acheron.js';
import { cleanEnvironment } from './mount-child.js';
import { until } from './until.js';

/** Runs a program at a terminal of its own; lines of JSON say what is typed there, how large it is, and what signal comes. */
const TERMINAL = `
import fcntl, json, os, pty, select, signal, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', int(sys.argv[1]), int(sys.argv[2]), 0, 0))
    os.execvp(sys.argv[3], sys.argv[3:])
asked = b''
reads = [0, fd]
while fd in reads:
    for ready in select.select(reads, [], [])[0]:
        try: data = os.read(ready, 65536)
        except OSError: data = b''
        if not data: reads.remove(ready)
        elif ready == fd: os.write(1, data)
        else:
            *lines, asked = (asked + data).split(b'\\n')
            for line in lines:
                ask = json.loads(line)
                if 'type' in ask: os.write(fd, ask['type'].encode())
                if 'rows' in ask: fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', ask['rows'], ask['columns'], 0, 0))
                if 'signal' in ask: os.kill(pid, ask['signal'])
state = os.waitpid(pid, 0)[1]
sys.exit(os.waitstatus_to_exitcode(state) % 256)
`;

const PYTHON = 'python3';
/** A busy machine is given so long. */
const MOST_MS = 30_000;

interface PtyOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly rows?: number;
  readonly columns?: number;
  readonly program?: readonly string[];
  readonly cwd?: string;
}

/** An `acheron` command, or another `program`, at a terminal; ended with the test. */
export class Pty {
  readonly #child: ChildProcess;
  /** All that it has written, terminal sequences among it. */
  written = '';
  status: number | null | undefined;

  /** The same with ␛ for each escape. */
  get shown(): string {
    return this.written.replaceAll('\u001b', '␛');
  }

  constructor(
    t: Test,
    args: readonly string[],
    { env = {}, rows = 24, columns = 80, program = [process.execPath, PROGRAM], cwd }: PtyOptions = {},
  ) {
    const command = [String(rows), String(columns), ...program, ...args];
    this.#child = spawn(PYTHON, ['-c', TERMINAL, ...command], {
      env: { ...cleanEnvironment(), TERM: 'xterm-256color', ...env },
      cwd,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.written += text));
    this.#child.once('close', (status) => (this.status = status));
    t.teardown(() => this.#child.kill('SIGKILL'));
  }

  type(keys: string): void {
    this.#ask({ type: keys });
  }

  resize(rows: number, columns: number): void {
    this.#ask({ rows, columns });
  }

  signal(number: number): void {
    this.#ask({ signal: number });
  }

  /** Waits until what it has written, as `shown`, has this. */
  async until(what: RegExp): Promise<void> {
    await this.when(() => what.test(this.shown), String(what));
  }

  async ended(): Promise<number | null> {
    await this.when(() => this.status !== undefined, 'its end');
    return this.status ?? null;
  }

  /** Waits until this holds. */
  async when(holds: () => boolean, what: string): Promise<void> {
    try {
      await until(holds, what, MOST_MS);
    } catch (thrown) {
      throw new Error(`Last seen: ${JSON.stringify(this.shown.slice(-1000))}`, { cause: thrown });
    }
  }

  #ask(ask: object): void {
    this.#child.stdin!.write(`${JSON.stringify(ask)}\n`);
  }
}
