import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { silentLog } from '../../lib/core/index.js';
import type { Notifier } from '../../lib/fuse/kernel/index.js';
import { bridgeTo } from '../../lib/fuse/vfs-bridge/bridge.js';
import { localSession } from '../../lib/policy/index.js';
import type { Caller, Vfs } from '../../lib/vfs/index.js';
import { createBridgeTree } from '../support/bridge-tree.js';
import { cleanEnvironment, mountChild, mountDirFor } from '../support/mount-child.js';
import { until } from '../support/until.js';

const run = promisify(execFile);
const fixture = {
  module: new URL('../support/bridge-tree.js', import.meta.url).href,
  name: 'createBridgeTree',
};

async function mounted(t: Test, reader?: 'pipe' | 'thread'): Promise<string> {
  const child = await mountChild(t, {
    fixture,
    binding: 'kernel',
    ...(reader === undefined ? {} : { reader }),
  });
  return child.dir;
}

const bash = (dir: string, script: string): ChildProcess =>
  spawn('bash', ['--norc', '-c', script], { cwd: dir, stdio: 'ignore', env: cleanEnvironment() });

async function ended(child: ChildProcess): Promise<number | string | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode ?? child.signalCode;
}

const goneCount = async (dir: string): Promise<number> => Number(await readFile(join(dir, 'gone'), 'utf8'));

/** Waits until somebody's write to `wait` has reached the tree. */
async function waitsForAnswer(dir: string): Promise<void> {
  await until(async () => (await readFile(join(dir, 'waits'), 'utf8')) === '1\n', 'the writer to wait');
}

for (const reader of ['pipe', 'thread'] as const)
  t.test(`a mount with many callers (reader: ${reader})`, async (t) => {
    const dir = await mounted(t, reader);

    t.test('64 writers of one control file overlap', async (t) => {
      const writers = bash(dir, 'for i in $(seq 64); do (echo 64 > barrier || kill $$) & done; wait; exit 7');
      t.equal(await ended(writers), 7);
    });

    t.test('1,000 writers of one control file find it soon, and overlap', async (t) => {
      const program = `
      const fs = require('node:fs/promises');
      Promise.all(Array.from({ length: 1000 }, () => fs.writeFile('barrier', '1000', { flag: 'r+' })))
        .then(() => process.exit(7));`;
      const writers = spawn(process.execPath, ['-e', program], {
        cwd: dir,
        stdio: 'ignore',
        env: { ...cleanEnvironment(), UV_THREADPOOL_SIZE: '1000' },
      });
      t.equal(await ended(writers), 7);
      const lookups = parseInt(await readFile(join(dir, 'lookups'), 'utf8'), 10);
      t.ok(lookups < 40_000, `${lookups} lookups; driven in circles they ask more than 100 times each`);
    });

    t.test('1,000 blocked readers leave a mount usable, and all are answered', async (t) => {
      const program = `
      const fs = require('node:fs/promises');
      Promise.all(Array.from({ length: 1000 }, () => fs.readFile('blocked', 'utf8')))
        .then((texts) => process.exit(texts.every((text) => text === 'open\\n') ? 7 : 1));`;
      const readers = spawn(process.execPath, ['-e', program], {
        cwd: dir,
        stdio: 'ignore',
        env: { ...cleanEnvironment(), UV_THREADPOOL_SIZE: '1000' },
      });
      await until(async () => (await readFile(join(dir, 'open'), 'utf8')) === '1000\n', '1,000 readers');
      await writeFile(join(dir, 'set'), 'busy here');
      t.equal(await readFile(join(dir, 'announced/busy'), 'utf8'), 'here\n');
      await writeFile(join(dir, 'open'), 'now');
      t.equal(await ended(readers), 7);
    });

    t.test('a busy loop of a second delays requests and loses none', async (t) => {
      const busy = writeFile(join(dir, 'busy'), '1000');
      const others = Array.from({ length: 50 }, async (_, i) => {
        await writeFile(join(dir, 'set'), `n${i} ${i}`);
        return readFile(join(dir, `announced/n${i}`), 'utf8');
      });
      t.same(
        await Promise.all(others),
        Array.from({ length: 50 }, (_, i) => `${i}\n`),
      );
      await busy;
    });
  });

/** Opens, writes and closes `file` from `writers` tasks: how many times a second. */
async function writesPerSecond(dir: string, file: string, writers: number): Promise<number> {
  const program = `
    const fs = require('node:fs/promises');
    const end = Date.now() + 700;
    let count = 0;
    const loop = async () => {
      for (; Date.now() < end; count++) await fs.writeFile('${file}', 'x', { flag: 'r+' });
    };
    Promise.all(Array.from({ length: ${writers} }, loop)).then(() => console.log(count / 0.7));`;
  const { stdout } = await run(process.execPath, ['-e', program], {
    cwd: dir,
    env: { ...cleanEnvironment(), UV_THREADPOOL_SIZE: String(writers) },
  });
  return Number(stdout);
}

t.test('16 writers of one live file are no slower than half of one, and none fails', async (t) => {
  const dir = await mounted(t);
  let best = 0;
  for (let round = 0; round < 6 && best < 0.5; round++) {
    const one = await writesPerSecond(dir, 'taken', 1);
    best = Math.max(best, (await writesPerSecond(dir, 'taken', 16)) / one);
  }
  t.ok(best >= 0.5, `${best}`);
  t.ok((await writesPerSecond(dir, 'gone', 16)) > 0, 'also where each write waits a little');
});

t.test('touch, stat and ls -l do not wait behind a slow writer', async (t) => {
  const dir = await mounted(t);
  const writer = bash(dir, 'echo > wait');
  await waitsForAnswer(dir);
  await run('touch', ['wait'], { cwd: dir, timeout: 60_000 });
  t.match((await run('ls', ['-l'], { cwd: dir, timeout: 60_000 })).stdout, /wait/);
  await run('chmod', ['666', 'wait'], { cwd: dir, timeout: 60_000 });
  writer.kill('SIGKILL');
  t.equal(await ended(writer), 'SIGKILL');
});

t.test('signals that end the caller cancel its call at once', async (t) => {
  const dir = await mounted(t);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGKILL'] as const) {
    const before = await goneCount(dir);
    // bash would ignore SIGQUIT
    const writer = spawn('dash', ['-c', 'echo > wait'], { cwd: dir, stdio: 'ignore' });
    await waitsForAnswer(dir);
    writer.kill(signal);
    t.equal(await ended(writer), signal);
    t.equal(await goneCount(dir), before + 1, signal);
  }
});

t.test('Ctrl-C at a terminal gives the prompt back, and the write failed with ECANCELED', async (t) => {
  const dir = await mounted(t);
  const shell = spawn('script', ['-qfec', 'bash --norc -i', '/dev/null'], {
    cwd: dir,
    env: { ...cleanEnvironment(), TERM: 'dumb', LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.teardown(() => shell.kill('SIGKILL'));
  let screen = '';
  shell.stdout.setEncoding('utf8').on('data', (text: string) => (screen += text));
  shell.stdin.write('echo > wait\n');
  await waitsForAnswer(dir);
  shell.stdin.write('\x03');
  await until(async () => (await goneCount(dir)) === 1, 'the call to be cancelled');
  shell.stdin.write('echo status=$?.\nexit\n');
  await until(() => /status=\d+\./.test(screen), 'the prompt');
  t.not(/status=(\d+)\./.exec(screen)![1], '0');
  await ended(shell);
  t.equal(await goneCount(dir), 1);
});

t.test(
  'a background child that ends, or a resized terminal, cancels nothing; a KILL after it does',
  async (t) => {
    const dir = await mounted(t);
    t.equal(await ended(bash(dir, 'trap : CHLD; sleep 0.1 & echo 500 > wait && exit 7')), 7);
    const writer = bash(dir, 'trap : WINCH; echo > wait');
    await waitsForAnswer(dir);
    writer.kill('SIGWINCH');
    await run('sleep', ['0.1']);
    t.equal(await goneCount(dir), 0);
    writer.kill('SIGKILL');
    t.equal(await ended(writer), 'SIGKILL');
    t.equal(await goneCount(dir), 1);
  },
);

t.test('the caller is known: uid, gid and thread', async (t) => {
  const dir = await mounted(t);
  const { pid, ...caller } = JSON.parse(await readFile(join(dir, 'caller'), 'utf8')) as Caller;
  t.ok(pid > 0);
  t.same(caller, { uid: process.getuid!(), gid: process.getgid!(), isGuest: false });
});

t.test(
  'with others let in, who is neither the owner nor named gets EACCES at every operation',
  { skip: process.getuid!() === 0 ? false : 'only root can be somebody else' },
  async (t) => {
    const NAMED = 61_234;
    const OTHER = 61_235;
    const parent = mountDirFor(t);
    await chmod(dirname(parent), 0o755);
    const { dir } = await mountChild(t, {
      dir: parent,
      fixture,
      binding: 'kernel',
      allowOther: true,
      allowUids: [NAMED],
    });
    await writeFile(join(dir, 'set'), 'doc x');
    const as = async (uid: number, script: string): Promise<string> =>
      (await run('sh', ['-c', script], { cwd: '/', uid, gid: uid, env: { D: dir, LC_ALL: 'C' } })).stdout;
    t.equal(await readFile(join(dir, 'announced/doc'), 'utf8'), 'x\n', 'the owner, and the kernel keeps it');
    t.equal(await as(NAMED, 'cat $D/announced/doc'), 'x\n');
    t.equal((await stat(dir)).isDirectory() && (await stat(join(dir, 'announced'))).isDirectory(), true);
    t.match(JSON.parse(await as(NAMED, 'cat $D/caller')), { uid: NAMED, gid: NAMED });
    for (const act of [
      'cat $D/announced/doc',
      'cat $D/gone',
      'ls $D',
      'ls $D/announced',
      'echo >$D/set',
      'stat $D/gone',
      'stat $D',
      'env -C $D true',
      'env -C $D/announced true',
      'readlink -v $D/announced',
      'mkdir $D/announced/x',
      'rmdir $D/announced',
      'rm -f $D/announced/doc',
      'mv $D/announced/doc $D/announced/other',
      'ln -s x $D/announced/x',
      'ln $D/announced/doc $D/announced/x',
      'chmod 600 $D/gone',
      'touch $D/gone',
      'truncate -s 0 $D/gone',
      'df $D',
      'stat -f $D/announced',
      'getfattr -n user.x $D/gone',
      'setfattr -n user.x -v 1 $D/gone',
      'exec 3<>$D/gone',
    ])
      await t.rejects(as(OTHER, act), { message: /Permission denied/ }, act);
    t.equal(await as(NAMED, 'cat $D/announced/doc'), 'x\n', 'and still does');
  },
);

t.test('the close of a descriptor that only reads is not asked about', async (t) => {
  const dir = await mounted(t);
  await writeFile(join(dir, 'taken'), 'x');
  t.equal(await readFile(join(dir, 'flushes'), 'utf8'), '1\n');
  await readFile(join(dir, 'taken'));
  t.equal(await readFile(join(dir, 'flushes'), 'utf8'), '1\n');
});

t.test('a descriptor can be opened again through /dev/fd while it is open', async (t) => {
  const dir = await mounted(t);
  const { stdout } = await run('bash', ['-c', 'exec 3<gone; cat /dev/fd/3; cat /dev/stdin <gone'], {
    cwd: dir,
  });
  t.equal(stdout, '0\n0\n');
  await writeFile(join(dir, 'set'), 'doc one');
  const script = 'exec 3<announced/doc; echo doc another > set; cat /dev/fd/3; cat <&3; cat announced/doc';
  t.equal((await run('bash', ['-c', script], { cwd: dir })).stdout, 'another\none\nanother\n');
});

t.test('an open document keeps its snapshot and its size; its path shows the new one at once', async (t) => {
  const dir = await mounted(t);
  const path = join(dir, 'announced/doc');
  await writeFile(join(dir, 'set'), 'doc first');
  const held = await open(path);
  t.equal((await held.stat()).size, 6);
  for (const text of ['a much longer text', 'b']) {
    await writeFile(join(dir, 'set'), `doc ${text}`);
    t.equal((await stat(path)).size, text.length + 1);
    t.equal(await readFile(path, 'utf8'), `${text}\n`);
    t.equal((await held.stat()).size, 6);
    const { bytesRead, buffer } = await held.read(Buffer.alloc(100), 0, 100, 0);
    t.equal(buffer.toString('utf8', 0, bytesRead), 'first\n');
  }
  await held.close();
});

t.test('what is announced is asked for once, and again when it changed', async (t) => {
  const dir = await mounted(t);
  await writeFile(join(dir, 'set'), 'doc x');
  await stat(join(dir, 'announced/doc'));
  const cached = performance.now();
  await Promise.all(Array.from({ length: 200 }, () => stat(join(dir, 'announced/doc'))));
  t.ok(performance.now() - cached < 10_000);
  await writeFile(join(dir, 'set'), 'all');
  t.equal(await readFile(join(dir, 'announced/doc'), 'utf8'), 'x\n');
  await writeFile(join(dir, 'set'), 'remove doc');
  await t.rejects(stat(join(dir, 'announced/doc')), { code: 'ENOENT' });
  t.same(await readdir(join(dir, 'announced')), []);
});

t.test('ls -l looks up no name in a directory whose nodes are known at once', async (t) => {
  const dir = await mounted(t);
  const { stdout } = await run('ls', ['-l', 'sync'], { cwd: dir });
  t.equal(stdout.trim().split('\n').length, 101);
  t.match(await readFile(join(dir, 'lookups'), 'utf8'), / 0\n$/);
});

t.test('a tree that has no extended attributes is asked for none', async (t) => {
  const vfs = createBridgeTree();
  const options = {
    sessionOf: () => localSession('admin'),
    owner: { uid: 0, gid: 0 },
    allowedUids: null,
    log: silentLog,
  };
  const serves = (tree: Vfs): string[] => Object.keys(bridgeTo(tree, {} as unknown as Notifier, options));
  const all = ['getxattr', 'setxattr', 'listxattr', 'removexattr'];
  t.strictSame(
    serves(vfs).filter((name) => name.endsWith('xattr')),
    all,
  );
  t.strictSame(
    serves({ ...vfs, extendedAttributes: false }).filter((name) => name.endsWith('xattr')),
    [],
    'the kernel asks once what is not served (unserved.test.ts)',
  );
});

t.test('random changes are seen at once by readers in several processes, cached or not', async (t) => {
  const dir = await mounted(t);
  const readers = Array.from({ length: 3 }, () => new Reader(dir));
  t.teardown(() => readers.forEach((reader) => reader.end()));
  const model = new Map<string, string>();
  let seed = 12345;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * below);
  };
  for (let step = 0; step < 200; step++) {
    const name = `f${random(5)}`;
    const act = random(10);
    if (act === 0) {
      model.delete(name);
      await writeFile(join(dir, 'set'), `remove ${name}`);
    } else if (act === 1) await writeFile(join(dir, 'set'), 'all');
    else if (act < 6) {
      const text = 'x'.repeat(random(20)) + step;
      model.set(name, `${text}\n`);
      await writeFile(join(dir, 'set'), `${name} ${text}`);
    }
    const seen = await readers[random(3)]!.look(random(4) === 0);
    if (JSON.stringify(seen) !== JSON.stringify(Object.fromEntries([...model].sort()))) {
      t.same(seen, Object.fromEntries([...model].sort()), `step ${step}`);
      return;
    }
  }
  t.pass('nothing stale');
});

/** Another process that looks at `announced`: names, sizes and contents; sometimes holding files open. */
class Reader {
  readonly #child: ChildProcess;
  #text = '';
  constructor(dir: string) {
    const program = `
      const fs = require('node:fs');
      const held = [];
      process.chdir(${JSON.stringify(join(dir, 'announced'))});
      require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
        const seen = {};
        for (const name of fs.readdirSync('.').sort()) {
          const size = fs.statSync(name).size;
          const text = fs.readFileSync(name, 'utf8');
          seen[name] = text.length === size ? text : 'torn: ' + size + ' ' + text;
          if (line === 'hold') held.push(fs.openSync(name));
        }
        while (held.length > 6) fs.closeSync(held.shift());
        console.log(JSON.stringify(seen));
      });`;
    this.#child = spawn(process.execPath, ['-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: cleanEnvironment(),
    });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.#text += text));
  }
  async look(hold: boolean): Promise<unknown> {
    this.#text = '';
    this.#child.stdin!.write(hold ? 'hold\n' : 'look\n');
    await until(() => this.#text.endsWith('\n'), 'a reader');
    return JSON.parse(this.#text);
  }
  end(): void {
    this.#child.kill('SIGKILL');
  }
}
