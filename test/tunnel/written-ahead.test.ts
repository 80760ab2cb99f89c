import t, { type Test } from 'tap';
import { FsError } from '../../lib/core/index.js';
import { localSession, type Session } from '../../lib/policy/index.js';
import { guardExport } from '../../lib/providers/index.js';
import {
  BaseFile,
  ForwardingHandle,
  openFlagsFrom,
  type FileHandle,
  type FileNode,
  type OpenFlags,
  type Op,
  type Stat,
} from '../../lib/vfs/index.js';
import { codeOf } from '../support/access.js';
import { createMemoryVfs, MemoryFile } from '../support/memory-vfs.js';
import { op, READ, WRITE } from '../support/ops.js';
import { Random } from '../support/random.js';
import { tunnelled, type Tunnel } from '../support/tunnelled.js';
import { until } from '../support/until.js';

const BOTH = { ...READ, write: true };
const PIECE = 128 * 1024;

/** A file at the far side whose writes wait while `isHeld`, and fail with `failure` where there is one. */
class HeldFile extends BaseFile {
  override readonly freshness = 'shared' as const;
  readonly #inner: MemoryFile;
  isHeld = true;
  failure: FsError | undefined;
  begun = 0;
  readonly #held: (() => void)[] = [];

  constructor(inner: MemoryFile) {
    super();
    this.#inner = inner;
  }

  get ino(): bigint {
    return this.#inner.ino;
  }

  stat(): Stat {
    return this.#inner.stat();
  }

  open(flags: OpenFlags): FileHandle {
    return new HeldHandle(this, this.#inner.open(flags));
  }

  async passes(): Promise<void> {
    this.begun++;
    if (this.isHeld) await new Promise<void>((resolve) => this.#held.push(resolve));
    if (this.failure !== undefined) throw this.failure;
  }

  letGo(): void {
    this.isHeld = false;
    for (const go of this.#held.splice(0)) go();
  }
}

class HeldHandle extends ForwardingHandle {
  readonly #file: HeldFile;

  constructor(file: HeldFile, inner: FileHandle) {
    super(inner);
    this.#file = file;
  }

  override async write(at: number, data: Uint8Array, op: Op): Promise<number> {
    await this.#file.passes();
    return super.write(at, data, op);
  }
}

async function far(t: Test): Promise<{ file: HeldFile; node: FileNode; tunnel: Tunnel }> {
  const vfs = createMemoryVfs(true);
  const file = vfs.root.put('file', new HeldFile(new MemoryFile(vfs.changes, 0o666)));
  const tunnel = await tunnelled(t, vfs, { through: 'ws' });
  t.teardown(() => file.letGo());
  return { file, tunnel, node: (await tunnel.remote.root.lookup('file', op())) as FileNode };
}

/** Whether `work` has ended once all that was sent before it has been answered. */
async function isDone(work: unknown, { remote }: Tunnel): Promise<boolean> {
  let done = false;
  void Promise.resolve(work).finally(() => (done = true));
  for (let i = 0; i < 3; i++) await remote.root.statfs(op());
  return done;
}

t.test(
  'a write is answered before the far side has carried it out; fsync, flush and stat are not',
  async (t) => {
    const { file, node, tunnel } = await far(t);
    const handle = await node.open(WRITE, op());
    t.equal(await handle.write(0, Buffer.from('first'), op()), 5);
    t.equal(await handle.write(5, Buffer.from(' second'), op()), 7);
    const later = {
      flush: handle.flush!(op()),
      fsync: handle.fsync(false, op()),
      stat: node.stat(op()),
      'stat of what is open': handle.stat(op()),
      lookup: tunnel.remote.root.lookup('file', op()),
      list: tunnel.remote.root.list(op()),
    };
    for (const [what, work] of Object.entries(later)) t.notOk(await isDone(work, tunnel), what);
    file.letGo();
    for (const work of Object.values(later)) await work;
    t.equal((await later.stat).size, 12);
    t.equal((await later['stat of what is open']).size, 12);
    await handle.release();
  },
);

t.test(
  'what was written is read, by each descriptor of the mount, and a truncation comes after it',
  async (t) => {
    const { file, node } = await far(t);
    const [writer, reader] = [await node.open(BOTH, op()), await node.open(READ, op())];
    await writer.write(0, Buffer.from('0123456789'), op());
    const seen = [writer, reader].map((handle) => handle.read(0, 100, op()));
    file.letGo();
    for (const bytes of seen) t.equal(Buffer.from(await bytes).toString(), '0123456789');
    file.isHeld = true;
    await writer.write(2, Buffer.from('abc'), op());
    const cut = writer.setattr({ size: 4 }, op());
    file.letGo();
    t.equal((await cut).size, 4);
    t.equal(Buffer.from(await reader.read(0, 100, op())).toString(), '01ab');
  },
);

t.test('of two descriptors, one writes once what the other wrote has been carried out', async (t) => {
  const { file, node, tunnel } = await far(t);
  const handles = [await node.open(WRITE, op()), await node.open(WRITE, op())] as const;
  t.equal(handles[0].write(0, Buffer.from('first'), op()), 5);
  t.equal(handles[0].write(5, Buffer.from('second'), op()), 6);
  const written = handles[1].write(3, Buffer.from('third'), op());
  t.notOk(await isDone(written, tunnel));
  file.letGo();
  t.equal(await written, 5);
  const reader = await node.open(READ, op());
  t.equal(Buffer.from(await reader.read(0, 100, op())).toString(), 'firthirdond');
});

t.test('with O_SYNC and O_DSYNC each write waits until it has been carried out', async (t) => {
  const { file, node, tunnel } = await far(t);
  for (const flag of [0o4010000, 0o10000]) {
    file.isHeld = true;
    const handle = await node.open(openFlagsFrom(1 | flag), op());
    const written = handle.write(0, Buffer.from('safe'), op());
    t.notOk(await isDone(written, tunnel));
    file.letGo();
    t.equal(await written, 4);
    await handle.release();
  }
});

t.test('what fails after it was answered is reported once: by the next write, fsync or flush', async (t) => {
  const { file, node } = await far(t);
  file.letGo();
  const handle = await node.open(WRITE, op());
  const reports: [string, () => unknown][] = [
    ['flush', () => handle.flush!(op())],
    ['fsync', () => handle.fsync(false, op())],
  ];
  for (const [what, report] of reports) {
    file.failure = new FsError('ENOSPC', 'It is full.');
    t.equal(await handle.write(0, Buffer.from('lost'), op()), 4);
    t.equal(await codeOf(Promise.resolve().then(report)), 'ENOSPC', what);
    file.failure = undefined;
    await report();
  }
  file.failure = new FsError('EDQUOT', 'It is more than you may have.');
  await handle.write(0, Buffer.from('lost'), op());
  await until(
    async () =>
      (await codeOf(Promise.resolve().then(() => handle.write(0, Buffer.from('x'), op())))) === 'EDQUOT',
  );
  file.failure = undefined;
  await handle.release();
});

t.test('only so much is answered ahead: the next write waits for room', async (t) => {
  const { file, node, tunnel } = await far(t);
  const handle = await node.open(WRITE, op());
  const piece = Buffer.alloc(PIECE, 'x');
  let answered = 0;
  const all = (async () => {
    for (let i = 0; i < 64; i++) {
      await handle.write(i * PIECE, piece, op());
      answered++;
    }
  })();
  t.notOk(await isDone(all, tunnel));
  t.ok(answered >= 2 && answered * PIECE <= 4 * 1024 * 1024, `${answered} pieces`);
  file.letGo();
  await all;
  await handle.flush!(op());
  t.equal((await node.stat(op())).size, 64 * PIECE);
});

t.test(
  'a connection that is lost with writes on their way is an error of the close, and of all after it',
  async (t) => {
    const { file, node, tunnel } = await far(t);
    const handle = await node.open(WRITE, op());
    await handle.write(0, Buffer.from('on its way'), op());
    await until(() => file.begun === 1);
    const cutting = tunnel.cut();
    t.equal(await codeOf(Promise.resolve(handle.flush!(op()))), 'EHOSTDOWN');
    file.letGo();
    await cutting;
    await tunnel.connect();
    const later: (() => unknown)[] = [
      () => handle.flush!(op()),
      () => handle.fsync(false, op()),
      () => handle.write(0, Buffer.from('x'), op()),
    ];
    for (const work of later) t.equal(await codeOf(Promise.resolve().then(work)), 'EHOSTDOWN');
  },
);

t.test('a right that was withdrawn is gone for the very next write', async (t) => {
  const vfs = createMemoryVfs(true);
  vfs.root.put('file', new MemoryFile(vfs.changes, 0o666));
  let mayWrite = true;
  const session: Session = localSession('user');
  const guarded = guardExport(vfs, { maySee: () => true, mayRead: () => true, mayWrite: () => mayWrite });
  const { remote, served } = await tunnelled(t, guarded, { through: 'ws', session: () => session });
  const node = (await remote.root.lookup('file', op())) as FileNode;
  const handle = await node.open(WRITE, op());
  await handle.write(0, Buffer.from('allowed'), op());
  await handle.flush!(op());
  mayWrite = false;
  await served().sessionChanged();
  t.equal(await codeOf(Promise.resolve().then(() => handle.write(0, Buffer.from('x'), op()))), 'EACCES');
});

t.test(
  'whatever is written, cut and read in whatever order, the file is as if each had waited',
  async (t) => {
    const vfs = createMemoryVfs(true);
    vfs.root.put('file', new MemoryFile(vfs.changes, 0o666));
    const { remote } = await tunnelled(t, vfs, { through: 'ws' });
    const node = (await remote.root.lookup('file', op())) as FileNode;
    const handles = [await node.open(BOTH, op()), await node.open(BOTH, op())];
    const random = new Random(20_261_126);
    const below = (most: number): number => random.below(most);
    let model = Buffer.alloc(0);
    for (let step = 0; step < 600; step++) {
      const handle = handles[below(2)]!;
      const [at, size] = [below(700_000), below(step % 7 === 0 ? 300_000 : 3000)];
      const what = below(10);
      if (what < 6) {
        const data = Buffer.alloc(size, 33 + (step % 90));
        await handle.write(at, data, op());
        const grown = Buffer.alloc(size === 0 ? model.length : Math.max(model.length, at + size));
        model.copy(grown);
        data.copy(grown, at);
        model = grown;
      } else if (what === 6) {
        await handle.setattr({ size: at }, op());
        model = Buffer.concat([model.subarray(0, at), Buffer.alloc(Math.max(0, at - model.length))]);
      } else if (what === 7) {
        if ((await node.stat(op())).size !== model.length) t.fail(`the size at step ${step}`);
      } else {
        const bytes = await handle.read(at, size, op());
        if (!model.subarray(at, at + size).equals(bytes)) t.fail(`the content at step ${step}`);
      }
    }
    for (const handle of handles) await handle.flush!(op());
    t.ok(model.equals(await handles[0]!.read(0, 1_000_000, op())));
  },
);
