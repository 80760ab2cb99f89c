import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import t, { type Test } from 'tap';
import { Up } from '../support/acheron.js';
import { hasPassthrough, mountFacts, untilPassedThrough } from '../support/passed-through.js';
import { temporaryDir } from '../support/test-node.js';

const skip = hasPassthrough() ? false : 'there is no FUSE passthrough here';
const GUEST = 9;

interface Place {
  readonly up: Up;
  readonly real: string;
  readonly shown: string;
}

async function exported(t: Test, args: readonly string[] = []): Promise<Place> {
  const top = temporaryDir(t);
  chmodSync(top, 0o711);
  const real = join(top, 'real');
  mkdirSync(real);
  const up = await Up.start(t, {
    binding: 'kernel',
    bundled: false,
    args: ['--export', `x=${real}:rw`, ...args],
  });
  chmodSync(dirname(up.dir), 0o711);
  return { up, real, shown: join(up.dir, 'nodes/local/fs/x') };
}

/** A process that holds a file open and does with it what it is asked to, a line each. */
const HOLDER = `
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
print("open", flush=True)
for line in sys.stdin:
    verb, at, text = line.rstrip("\\n").split(" ", 2)
    if verb == "write": print(os.pwrite(fd, text.encode(), int(at)), flush=True)
    else: print(os.pread(fd, int(text), int(at)).decode(), flush=True)
`;

class Holder {
  readonly child: ChildProcess;
  readonly #lines: Interface;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.#lines = createInterface({ input: child.stdout! });
  }

  static async open(t: Test, path: string, uid = 0): Promise<Holder> {
    const child = spawn('python3', ['-c', HOLDER, path], { uid, gid: uid, cwd: '/' });
    t.teardown(() => child.kill('SIGKILL'));
    const holder = new Holder(child);
    t.equal(await holder.#answer(), 'open');
    return holder;
  }

  async ask(line: string): Promise<string> {
    const answer = this.#answer();
    this.child.stdin!.write(`${line}\n`);
    return answer;
  }

  async close(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.stdin!.end();
    await ended;
  }

  async #answer(): Promise<string> {
    const [line] = (await once(this.#lines, 'line', { signal: AbortSignal.timeout(10_000) })) as [string];
    return line;
  }
}

/** Runs `work` while the server stands still. */
async function stopped(up: Up, work: () => Promise<void>): Promise<void> {
  up.child.kill('SIGSTOP');
  try {
    await work();
  } finally {
    up.child.kill('SIGCONT');
  }
}

t.test(
  'what its own user has open in an export, the kernel reads and writes by itself',
  { skip },
  async (t) => {
    const { up, real, shown } = await exported(t);
    await untilPassedThrough(up);
    t.match(mountFacts(up), { binding: 'kernel', passthrough: true, passthrough_why_not: null });
    const holder = await Holder.open(t, join(shown, 'file'));
    // Before the first write the kernel asks whether there are capabilities to take away.
    await holder.ask('write 0 first');
    await stopped(up, async () => {
      t.equal(await holder.ask('write 0 by itself'), '9');
      t.equal(await holder.ask('read 3 6'), 'itself');
      t.equal(readFileSync(join(real, 'file'), 'utf8'), 'by itself');
      appendFileSync(join(real, 'file'), ', and at once');
      t.equal(await holder.ask('read 9 99'), ', and at once');
    });
    await holder.close();
    t.equal(readFileSync(join(shown, 'file'), 'utf8'), 'by itself, and at once');
    t.equal(statSync(join(shown, 'file')).size, 22);
  },
);

t.test('with --no-passthrough, and for a user session, nothing goes past the node', { skip }, async (t) => {
  for (const args of [['--no-passthrough'], ['--role', 'user']]) {
    const { up, shown, real } = await exported(t, args);
    writeFileSync(join(real, 'file'), 'x'.repeat(200_000));
    if (args.length === 1)
      t.match(mountFacts(up), { passthrough: false, passthrough_why_not: /--no-passthrough/ });
    const script = 'exec 3<"$1"; echo open; read go; head -c 1 <&3';
    const child = execFile('timeout', ['-s', 'KILL', '2', 'sh', '-c', script, 'sh', join(shown, 'file')]);
    await once(child.stdout!, 'data');
    await stopped(up, async () => {
      child.stdin!.end('go\n');
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
      t.equal(signal, 'SIGKILL', args.join(' '));
    });
  }
});

t.test(
  'another user who is let in shares a file that the kernel has by itself, each seeing what the other writes',
  { skip },
  async (t) => {
    const { up, shown } = await exported(t, ['--allow-other', '--allow-uid', `${GUEST}`]);
    await untilPassedThrough(up);
    for (const first of [0, GUEST]) {
      const path = join(shown, `file-${first}`);
      writeFileSync(path, 'x'.repeat(100_000));
      chmodSync(path, 0o666);
      const one = await Holder.open(t, path, first);
      const other = await Holder.open(t, path, GUEST - first);
      t.equal(await one.ask('write 5 one'), '3');
      t.equal(await other.ask('read 5 3'), 'one');
      t.equal(await other.ask('write 50000 other'), '5');
      t.equal(await one.ask('read 50000 5'), 'other');
      await one.close();
      t.equal(await other.ask('read 5 3'), 'one');
      await other.close();
      t.equal(readFileSync(path, 'latin1').slice(50_000, 50_006), 'otherx');
    }
  },
);

t.test('a file that is made set-id while the kernel has it loses that by a write', { skip }, async (t) => {
  const { up, real, shown } = await exported(t);
  await untilPassedThrough(up);
  const holder = await Holder.open(t, join(shown, 'file'));
  await holder.ask('write 0 content');
  execFileSync('chmod', ['4755', join(shown, 'file')]);
  t.equal(lstatSync(join(shown, 'file')).mode & 0o7777, 0o4755);
  await holder.ask('write 0 another');
  t.equal(lstatSync(join(real, 'file')).size, 7);
  await holder.close();
  execFileSync('sync', ['-f', shown]); // answered after the close was
  t.equal(lstatSync(join(real, 'file')).mode & 0o7777, 0o755);

  const kept = await Holder.open(t, join(shown, 'kept'));
  await kept.ask('write 0 content');
  execFileSync('chmod', ['4755', join(shown, 'kept')]);
  await kept.close();
  execFileSync('sync', ['-f', shown]);
  t.equal(lstatSync(join(real, 'kept')).mode & 0o7777, 0o4755, 'written before alone');
});
