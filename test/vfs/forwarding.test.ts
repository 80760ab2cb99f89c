import t, { type Test } from 'tap';
import { FsError } from '../../lib/core/index.js';
import {
  DelegatingDir,
  DelegatingFile,
  ForwardingDir,
  ForwardingFile,
  ForwardingHandle,
  ForwardingSymlink,
  GuardedHandle,
  type Delegate,
  type DirNode,
  type FileHandle,
  type FileNode,
  type NodeBase,
  type SymlinkNode,
  type Wrapper,
} from '../../lib/vfs/index.js';
import { call, keysOf, recorded, type Kinds } from '../support/recorded.js';

// The compiler demands each key of the interfaces here: what is new in one is tried from then on.
const HANDLE: Kinds<FileHandle> = {
  direct: 'value',
  fixed: 'value',
  holds: 'value',
  identity: 'value',
  revocable: 'value',
  copiesData: 'value',
  needsFlush: 'value',
  stat: 'method',
  setattr: 'method',
  read: 'method',
  readInto: 'method',
  handOver: 'method',
  write: 'method',
  flush: 'method',
  fsync: 'method',
  seek: 'method',
  allocate: 'method',
  awaitChange: 'method',
  release: 'method',
};
const NODE: Kinds<NodeBase> = {
  ino: 'value',
  freshness: 'value',
  cachedStat: 'method',
  isBare: 'method',
  leftMs: 'method',
  stat: 'method',
  setattr: 'method',
  access: 'method',
  getxattr: 'method',
  setxattr: 'method',
  listxattr: 'method',
  removexattr: 'method',
  statfs: 'method',
};
const FILE: Kinds<FileNode> = {
  ...NODE,
  kind: 'value',
  special: 'value',
  perOpen: 'value',
  lastKnownStat: 'method',
  open: 'method',
};
const SYMLINK: Kinds<SymlinkNode> = { ...NODE, kind: 'value', readlink: 'method' };
const DIR: Kinds<DirNode> = {
  ...NODE,
  kind: 'value',
  lookup: 'method',
  lookupSync: 'method',
  list: 'method',
  create: 'method',
  tmpfile: 'method',
  mkdir: 'method',
  mknod: 'method',
  unlink: 'method',
  rmdir: 'method',
  rename: 'method',
  link: 'method',
  symlink: 'method',
  fsync: 'method',
};
const HANDLE_VALUES = {
  direct: true,
  fixed: true,
  holds: new Uint8Array(1),
  identity: 'this one',
  revocable: true,
  copiesData: true,
  needsFlush: false,
};
const open: Wrapper = {
  look: () => undefined,
  change: () => undefined,
  checkAccess: () => undefined,
  shown: (stat) => stat,
  dir: (inner) => inner,
  file: (inner) => inner,
  symlink: (inner) => inner,
  handle: (inner) => inner,
};

function forwardsAll<Shape extends object>(
  t: Test,
  kinds: Kinds<Shape>,
  { inner, called }: { readonly inner: Shape; readonly called: Set<string> },
  outer: Shape,
): void {
  for (const key of keysOf<Shape>(kinds, 'value')) t.equal(outer[key], inner[key], key);
  for (const key of keysOf<Shape>(kinds, 'method')) {
    call(outer, key, outer);
    t.ok(called.has(key), key);
  }
}

t.test('what wraps a descriptor passes on all that it has, and offers nothing that it has not', async (t) => {
  const whole = recorded<FileHandle>(HANDLE, HANDLE_VALUES);
  forwardsAll<FileHandle>(t, HANDLE, whole, new ForwardingHandle(whole.inner));
  const needed = ['direct', 'stat', 'setattr', 'read', 'write', 'fsync', 'allocate', 'release'];
  const bare = new ForwardingHandle(
    Object.fromEntries(Object.entries(whole.inner).filter(([key]) => needed.includes(key))) as FileHandle,
  );
  for (const key of ['fixed', 'holds', 'identity', 'revocable', 'copiesData'] as const)
    t.equal(bare[key], undefined);
  for (const key of ['readInto', 'handOver', 'seek', 'flush', 'awaitChange'] as const)
    t.equal(bare[key], undefined);
  t.equal(bare.needsFlush, false);
});

t.test('a guarded descriptor asks before all but what gives nothing away', async (t) => {
  const { inner } = recorded<FileHandle>(HANDLE, HANDLE_VALUES);
  const guarded = new GuardedHandle(inner, () => {
    throw new FsError('EACCES', 'This session may not do that here.');
  });
  const asked = keysOf<FileHandle>(HANDLE, 'method').filter((key) => {
    try {
      call(guarded, key, undefined);
      return false;
    } catch (thrown) {
      t.equal(FsError.from(thrown).code, 'EACCES');
      return true;
    }
  });
  t.same(
    keysOf<FileHandle>(HANDLE, 'method').filter((key) => !asked.includes(key)),
    // Handed over is only what cannot be withdrawn from that session; the others end something.
    ['handOver', 'flush', 'release'],
  );
});

t.test('what wraps a file, a symlink or a directory passes on all that it has', async (t) => {
  const common = { ino: 7n, freshness: 'shared' } as const;
  const file = recorded<FileNode>(FILE, { ...common, kind: 'file', special: 'pipe', perOpen: true });
  forwardsAll<FileNode>(t, FILE, file, new ForwardingFile(open, file.inner));
  const symlink = recorded<SymlinkNode>(SYMLINK, { ...common, kind: 'symlink' });
  forwardsAll<SymlinkNode>(t, SYMLINK, symlink, new ForwardingSymlink(open, symlink.inner));
  const found = file.inner;
  const dir = recorded<DirNode>(DIR, {
    ...{ ...common, kind: 'dir', lookup: found, lookupSync: found, list: [], link: found },
    ...{ create: { node: found }, tmpfile: { node: found }, mkdir: found, mknod: found, symlink: found },
  });
  forwardsAll<DirNode>(t, DIR, dir, new ForwardingDir(open, dir.inner));
});

t.test('what may not be done to a tree is done to none of its nodes', async (t) => {
  const refuse = (): never => {
    throw new FsError('EACCES', 'This session may not do that here.');
  };
  const shut: Wrapper = { ...open, look: refuse, change: refuse, checkAccess: refuse };
  const file = recorded<FileNode>(FILE, { kind: 'file' });
  const symlink = recorded<SymlinkNode>(SYMLINK, { kind: 'symlink' });
  const dir = recorded<DirNode>(DIR, { kind: 'dir' });
  // They say what was found at a look-up, which was refused.
  const known = ['cachedStat', 'isBare', 'leftMs', 'lastKnownStat'];
  for (const [kinds, { called }, outer] of [
    [FILE, file, new ForwardingFile(shut, file.inner)],
    [SYMLINK, symlink, new ForwardingSymlink(shut, symlink.inner)],
    [DIR, dir, new ForwardingDir(shut, dir.inner)],
  ] as const) {
    for (const key of keysOf<DirNode>(kinds as Kinds<DirNode>, 'method'))
      if (!known.includes(key)) t.throws(() => call(outer, key, outer), { code: 'EACCES' }, key);
    t.equal(called.size, 0);
  }
});

t.test(
  'what finds the node it stands for at each operation passes on all but what is remembered',
  async (t) => {
    const remembered = ['cachedStat', 'isBare', 'leftMs', 'lastKnownStat', 'lookupSync'];
    const file = recorded<FileNode>(FILE, {});
    const dir = recorded<DirNode>(DIR, {});
    const to = <Kind extends FileNode | DirNode>(inner: Kind): Delegate<Kind> => ({
      ask: (_op, use) => use(inner),
      look: (_op, use) => use(inner),
    });
    const known = { ino: 7n, freshness: 'live' } as const;
    for (const [kinds, { called }, outer] of [
      [FILE, file, new DelegatingFile(known, to(file.inner))],
      [DIR, dir, new DelegatingDir(known, to(dir.inner))],
    ] as const)
      for (const key of keysOf<DirNode>(kinds as Kinds<DirNode>, 'method')) {
        if (remembered.includes(key)) continue;
        call(outer, key, undefined);
        t.ok(called.has(key), key);
      }
  },
);
