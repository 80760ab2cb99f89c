import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Emitter } from '../../lib/core/index.js';
import type { RemoteVfsOptions } from '../../lib/tunnel/index.js';
import {
  Document,
  MapDir,
  walk,
  type Change,
  type DirNode,
  type Node,
  type Vfs,
} from '../../lib/vfs/index.js';
import { errno, exported } from '../providers/support/exported.js';
import { op } from '../support/ops.js';
import { tunnelled, type TunnelOptions } from '../support/tunnelled.js';
import { until } from '../support/until.js';

/** An exported directory at the far side of a tunnel, and the requests that were sent since `asked` was read. */
async function farExport(
  t: Test,
  remote: RemoteVfsOptions = {},
): Promise<{ path: string; root: DirNode; asked: () => string[] }> {
  const [vfs, path] = await exported(t);
  const sent: string[] = [];
  const tunnel = await tunnelled(t, vfs, { through: 'memory', remote, wrap: recording(sent) });
  return { path, root: tunnel.remote.root, asked: () => sent.splice(0) };
}

/** Puts the requests that are sent into `sent`. */
function recording(sent: string[]): NonNullable<TunnelOptions['wrap']> {
  return (transport, end) => {
    const send = transport.send.bind(transport);
    if (end === 'client')
      transport.send = (message) => {
        const type = typeof message === 'string' ? /"acheron\.t_fs_(\w+)"/.exec(message)?.[1] : undefined;
        if (type !== undefined) sent.push(type);
        send(message);
      };
    return transport;
  };
}

/** As `ls -l` does. */
async function lookAt(dir: DirNode, name: string): Promise<string[]> {
  const node = await dir.lookup(name, op());
  await node.stat(op());
  const label = await errno(() => node.getxattr('security.selinux', op()));
  return [label, await errno(() => node.getxattr('system.posix_acl_access', op()))];
}

t.test('a listing has all that ls -l asks for: no file is asked about by itself', async (t) => {
  // However long this takes, what is listed is good for longer.
  const { path, root, asked } = await farExport(t, { sharedMs: 600_000 });
  mkdirSync(join(path, 'dir'));
  for (let i = 0; i < 300; i++) writeFileSync(join(path, 'dir', `file-${i}`), `${i}`);
  const dir = (await walk(root, 'dir', op())) as DirNode;
  asked();
  const entries = await dir.list(op());
  t.equal(entries.length, 300);
  t.strictSame(asked(), ['readdirp']);
  for (const { name } of entries) t.strictSame(await lookAt(dir, name), ['EOPNOTSUPP', 'ENODATA']);
  for (const { name } of entries) t.strictSame(await (await dir.lookup(name, op())).listxattr(op()), []);
  t.strictSame(asked(), []);
});

t.test('what has extended attributes is asked for them, and what is set is there at once', async (t) => {
  const { path, root, asked } = await farExport(t);
  mkdirSync(join(path, 'dir'));
  for (const name of ['with', 'without']) writeFileSync(join(path, 'dir', name), name);
  execFileSync('setfattr', ['-n', 'user.note', '-v', 'here', join(path, 'dir/with')]);
  const dir = (await walk(root, 'dir', op())) as DirNode;
  await dir.list(op());
  const find = (name: string): Promise<Node> => Promise.resolve(dir.lookup(name, op()));
  asked();
  t.strictSame(await (await find('with')).listxattr(op()), ['user.note']);
  t.strictSame(asked(), ['listxattr']);
  const node = await find('without');
  t.equal(await errno(() => node.getxattr('user.note', op())), 'ENODATA');
  await node.setxattr('user.note', Buffer.from('mine'), 0, op());
  t.equal(Buffer.from(await node.getxattr('user.note', op())).toString(), 'mine');
  t.strictSame(await node.listxattr(op()), ['user.note']);
  await node.removexattr('user.note', op());
  t.equal(await errno(() => node.getxattr('user.note', op())), 'ENODATA');
});

t.test('what is set behind our back is seen as soon as a changed mode is', async (t) => {
  const { path, root } = await farExport(t);
  const file = join(path, 'file');
  writeFileSync(file, '');
  await root.list(op());
  const node = await root.lookup('file', op());
  t.strictSame(await node.listxattr(op()), []);
  execFileSync('setfattr', ['-n', 'user.note', '-v', 'x', file]);
  chmodSync(file, 0o600);
  await until(async () => ((await node.stat(op())).mode & 0o777) === 0o600, 'the mode');
  t.strictSame(await node.listxattr(op()), ['user.note']);
});

t.test('what is made of services has no extended attributes, and nobody is asked for any', async (t) => {
  const docs = new MapDir(
    new Map([['a.txt', new Document(() => ({ bytes: Buffer.from('a'), mtimeNs: 0n }))]]),
  );
  const tree: Vfs = {
    root: new MapDir(new Map([['docs', docs]])),
    changes: new Emitter<Change>(),
    close: async () => undefined,
  };
  const sent: string[] = [];
  const { remote } = await tunnelled(t, tree, { through: 'memory', wrap: recording(sent) });
  await remote.root.list(op());
  const dir = (await remote.root.lookup('docs', op())) as DirNode;
  await dir.list(op());
  sent.length = 0;
  t.strictSame(await lookAt(remote.root, 'docs'), ['EOPNOTSUPP', 'ENODATA']);
  t.strictSame(await lookAt(dir, 'a.txt'), ['EOPNOTSUPP', 'ENODATA']);
  t.strictSame(await dir.listxattr(op()), []);
  t.strictSame(sent, []);
});
