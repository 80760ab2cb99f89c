import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Transport } from '../../lib/transport/index.js';
import {
  type Change,
  type DirNode,
  type FileHandle,
  type FileNode,
  type OpenFlags,
  type Op,
} from '../../lib/vfs/index.js';
import { errno, exported } from '../providers/support/exported.js';
import { op } from '../support/ops.js';
import { tunnelled, type Tunnel } from '../support/tunnelled.js';
import { until } from '../support/until.js';

const READ: OpenFlags = { read: true, write: false, append: false, truncate: false, exclusive: false };
const WRITE: OpenFlags = { ...READ, read: false, write: true };

interface FarExport {
  readonly path: string;
  readonly root: DirNode;
  readonly tunnel: Tunnel;
  /** The requests that were sent since it was asked last. */
  readonly asked: () => string[];
  /** How many files of it this process has open. */
  readonly open: () => number;
  /** What was pushed since it was asked last. */
  readonly pushed: () => Record<string, unknown>[];
}

async function farExport(t: Test, { closes = true } = {}): Promise<FarExport> {
  const [vfs, path] = await exported(t);
  let sent: string[] = [];
  let pushed: Record<string, unknown>[] = [];
  const tunnel = await tunnelled(t, vfs, {
    through: 'memory',
    wrap(transport: Transport, end) {
      const send = transport.send.bind(transport);
      transport.send = (message) => {
        const text =
          typeof message === 'string' ? message : Buffer.from(message as Uint8Array).toString('latin1');
        const type = /"acheron\.(t_fs_\w+|e_fs_\w+)"/.exec(text)?.[1];
        if (!closes && text.includes('r_fs_hello')) {
          send(text.replace('"closes":true', '"closes":false'));
          return;
        }
        if (type !== undefined && end === 'client') sent.push(type.slice('t_fs_'.length));
        if (type !== undefined && end === 'server')
          pushed.push({ type, ...(JSON.parse(text) as { payload: object }).payload });
        send(message);
      };
      return transport;
    },
  });
  return {
    path,
    root: tunnel.remote.root,
    tunnel,
    open: () =>
      readdirSync('/proc/self/fd').filter((fd) => linkOf(`/proc/self/fd/${fd}`).startsWith(`${path}/`))
        .length,
    asked() {
      const before = sent;
      sent = [];
      return before;
    },
    pushed() {
      const before = pushed;
      pushed = [];
      return before;
    },
  };
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // the descriptor of the listing itself
  }
}

/** As a bridge opens a file: it looks at the attributes of what it has opened. */
async function openAndLook(file: FileNode, flags: OpenFlags): Promise<{ size: number; text: string }> {
  const opening = op();
  const handle = await file.open(flags, opening);
  const { size } = await handle.stat(opening);
  const text = flags.read ? Buffer.from(await handle.read(0, 4096, op())).toString() : '';
  await handle.release();
  return { size, text };
}

t.test(
  'a small file is opened and read with one request, and what others wrote before is seen',
  async (t) => {
    const { path, root, asked } = await farExport(t);
    writeFileSync(join(path, 'file'), 'first');
    const file = (await root.lookup('file', op())) as FileNode;
    asked();
    t.strictSame(await openAndLook(file, READ), { size: 5, text: 'first' });
    writeFileSync(join(path, 'file'), 'second one');
    t.strictSame(await openAndLook(file, READ), { size: 10, text: 'second one' });
    t.strictSame(
      asked().filter((name) => name !== 'close'),
      ['open', 'open'],
    );
  },
);

t.test('descriptors that only read are given back many at a time, and all of them', async (t) => {
  const { path, root, asked, open } = await farExport(t);
  for (let i = 0; i < 100; i++) writeFileSync(join(path, `file-${i}`), `${i}`);
  const files: FileNode[] = [];
  for (let i = 0; i < 100; i++) files.push((await root.lookup(`file-${i}`, op())) as FileNode);
  asked();
  const handles: FileHandle[] = [];
  for (const file of files) handles.push(await file.open(READ, op()));
  t.equal(open(), 100);
  for (const handle of handles) void handle.release();
  await until(() => open() === 0, 'no file is open');
  t.equal(asked().filter((name) => name === 'close').length, Math.ceil(100 / 32));
  // What was written to is given back at once: a failure to keep it is somebody's to know.
  const handle = await files[0]!.open(WRITE, op());
  await handle.release();
  t.strictSame(asked(), ['open', 'close']);
});

t.test('a peer that takes one handle at a time is given them so', async (t) => {
  const { path, root, asked, open } = await farExport(t, { closes: false });
  writeFileSync(join(path, 'file'), 'content');
  const file = (await root.lookup('file', op())) as FileNode;
  asked();
  for (let i = 0; i < 3; i++) await openAndLook(file, READ);
  t.strictSame(asked(), ['open', 'close', 'open', 'close', 'open', 'close']);
  await until(() => open() === 0, 'no file is open');
});

t.test('what a descriptor is asked about itself later is asked for anew', async (t) => {
  const { path, root } = await farExport(t);
  writeFileSync(join(path, 'file'), 'first');
  const file = (await root.lookup('file', op())) as FileNode;
  const opening = op();
  const handle = await file.open(READ, opening);
  t.equal((await handle.stat(opening)).size, 5);
  writeFileSync(join(path, 'file'), 'second one');
  t.equal((await handle.stat(opening)).size, 10);
  await handle.release();
});

t.test('whoever writes is not asked for attributes that a new file does not have', async (t) => {
  const { path, root, asked } = await farExport(t);
  const { node, handle } = await root.create('made', { ...WRITE, exclusive: true }, 0o644, op());
  asked();
  t.equal(await errno(() => node.getxattr('security.capability', op())), 'ENODATA');
  t.strictSame(asked(), []);
  await handle.release();
  writeFileSync(join(path, 'with'), '');
  execFileSync('setfattr', ['-n', 'user.note', '-v', 'here', join(path, 'with')]);
  const file = (await root.lookup('with', op())) as FileNode;
  await openAndLook(file, WRITE);
  asked();
  t.equal(Buffer.from(await file.getxattr('user.note', op())).toString(), 'here');
  t.strictSame(asked(), ['getxattr']);
});

t.test('a small file that was written is looked at without a request, as what it is', async (t) => {
  const { path, root, asked } = await farExport(t);
  const { node, handle } = await root.create('made', { ...WRITE, exclusive: true }, 0o644, op());
  await handle.write(0, Buffer.from('content'), op());
  await handle.flush?.(op());
  await handle.release();
  asked();
  t.equal((await node.stat(op())).size, 7);
  t.strictSame(asked(), []);
  const again = await node.open(WRITE, op());
  await again.write(0, Buffer.from('longer content'), op());
  // What is written behind it is not in the attributes that came with it.
  await again.write(14, Buffer.from(', and more'), op());
  t.equal((await node.stat(op())).size, 24);
  await again.write(24, Buffer.from('.'), op());
  t.equal((await again.stat(op())).size, 25);
  await again.release();
  t.equal(readFileSync(join(path, 'made'), 'utf8'), 'longer content, and more.');
});

t.test('a bridge is not sent back what it did itself; others that watch the same tree are', async (t) => {
  const { root, tunnel, pushed } = await farExport(t);
  const changes: Change[] = [];
  tunnel.remote.changes.on((change) => void changes.push(change));
  const bridge = {};
  const by = (): Op => Object.assign(op(), { origin: bridge });
  const { handle } = await root.create('made', { ...WRITE, exclusive: true }, 0o644, by());
  await handle.write(0, Buffer.from('content'), by());
  await handle.flush?.(by());
  await handle.release();
  await root.unlink('made', by());
  await until(() => changes.length >= 3, 'the changes');
  t.ok(changes.every((change) => 'by' in change && change.by === bridge));
  t.ok(pushed().every(({ own }) => own === true));
  // A second bridge over the same tree: nobody can say any longer which of the two it was.
  changes.length = 0;
  const other = {};
  await root.mkdir('dir', 0o755, Object.assign(op(), { origin: other }));
  await until(() => changes.length > 0, 'the change');
  t.ok(changes.every((change) => !('by' in change) || change.by === undefined));
});

t.test('what a caller without a bridge changes is news for every bridge', async (t) => {
  const { root, tunnel } = await farExport(t);
  const bridge = {};
  await root.mkdir('one', 0o755, Object.assign(op(), { origin: bridge }));
  const changes: Change[] = [];
  tunnel.remote.changes.on((change) => void changes.push(change));
  await root.mkdir('two', 0o755, op());
  await until(() => changes.length > 0, 'the change');
  t.ok(changes.every((change) => !('by' in change) || change.by === undefined));
});

t.test('what somebody else changes is pushed as not own', async (t) => {
  const { path, root, tunnel, pushed } = await farExport(t);
  mkdirSync(join(path, 'dir'));
  const by = (): Op => Object.assign(op(), { origin: t });
  const dir = (await root.lookup('dir', by())) as DirNode;
  await dir.list(by());
  const changes: Change[] = [];
  tunnel.remote.changes.on((change) => void changes.push(change));
  pushed();
  // The directory is watched a moment after it was looked at.
  let made = 0;
  await until(() => {
    writeFileSync(join(path, 'dir', `file-${made++}`), '');
    return changes.length > 0;
  }, 'a push');
  t.notOk(pushed().some(({ own }) => own === true));
  t.notOk(changes.some((change) => 'by' in change && change.by !== undefined));
});

t.test('files that are made and removed over and over are not pushed for each that there was', async (t) => {
  const { path, root, pushed } = await farExport(t);
  for (let i = 0; i < 50; i++) {
    const { handle } = await root.create('made', { ...WRITE, exclusive: true }, 0o644, op());
    await handle.write(0, Buffer.from(`${i}`), op());
    await handle.flush?.(op());
    t.equal(readFileSync(join(path, 'made'), 'utf8'), `${i}`);
    await handle.release();
    await root.unlink('made', op());
  }
  t.notOk(existsSync(join(path, 'made')));
  t.ok(pushed().length <= 50 * 4, 'a few for each');
});
