import { Errno, OPCODES, serve, KernelConnection, type Filesystem } from '../../../lib/fuse/kernel/index.js';

// unserved DIR: serves one file and nothing more than it takes to open and read it; sends how often each request
// came, by name, whenever its parent says something.

const asked: Record<string, number> = {};
const names = new Map<number, string>(Object.entries(OPCODES).map(([name, opcode]) => [opcode, name]));
// eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with its `this`
const { dispatch } = KernelConnection.prototype;
KernelConnection.prototype.dispatch = function (bytes, length) {
  const name = names.get(bytes.readUInt32LE(4)) ?? 'unknown';
  asked[name] = (asked[name] ?? 0) + 1;
  return dispatch.call(this, bytes, length);
};

const attr = { size: 1, blocks: 0, atimeNs: 0n, mtimeNs: 0n, ctimeNs: 0n, uid: process.getuid!(), gid: 0 };
const root = { attr: { ...attr, ino: 1n, mode: 0o040755, nlink: 2 }, attrValidMs: 1000 };
const file = { attr: { ...attr, ino: 2n, mode: 0o100666, nlink: 1 }, attrValidMs: 1000 };
const fs: Filesystem = {
  lookup: (_parent, name) => (name === 'file' ? { nodeid: 2, entryValidMs: 1000, ...file } : Errno.of(2)),
  getattr: (nodeid) => (nodeid === 1 ? root : file),
  open: () => ({ fh: 0, openFlags: 0 }),
  opendir: () => ({ fh: 0, openFlags: 0 }),
  read: () => Buffer.from('x'),
};
const mount = await serve(fs, process.argv[2]!);
process.on('message', () => process.send!(asked));
process.once('disconnect', () => void mount.unmount());
process.send!('ready');
