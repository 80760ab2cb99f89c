import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadNative } from '../../lib/providers/export/native.js';
import { errnoOf, TestNode } from '../support/test-node.js';
import { ExportingNode } from './fixtures/exporting-node.js';
import { needsRoot, NOBODY_UID, runAs, STRANGER_UID } from './fixtures/local-account.js';

const EPERM = 1;
const EACCES = 13;
const ENODATA = 61;
const EOPNOTSUPP = 95;
const SET_ID = 0o6000;

const stat = (node: ExportingNode, name: string): fs.Stats => fs.lstatSync(join(node.path, name));

for (const as of [undefined, 'root', '54321:54322'])
  t.test(
    `no way leads to a set-id file, ${as === undefined ? 'by default' : `as=${as}`}`,
    needsRoot,
    async (t) => {
      const node = await ExportingNode.start(t, as === undefined ? {} : { as });
      t.type(await node.create('made', 0o6755), 'object');
      t.equal(stat(node, 'made').mode & 0o7777, 0o755, 'create takes the bits off');
      t.equal(await node.ask('t_fs_mkdir', '', { name: 'dir', perm: 0o6755 }), 0);
      t.equal(stat(node, 'dir').mode & SET_ID, 0);
      for (const perm of [0o4755, 0o2755, 0o6777, 0o7777]) {
        t.equal(await node.ask('t_fs_setattr', 'made', { perm }), EPERM);
        t.equal(await node.ask('t_fs_setattr', 'made', { perm, size: 5 }), EPERM);
        t.equal(await node.ask('t_fs_setattr', 'dir', { perm }), EPERM);
      }
      const opened = await node.create('open', 0o755);
      for (const change of [{ perm: 0o4755 }, { perm: 0o4755, size: 3 }]) {
        const { error } = await node.peer.askFiles('t_fs_setattr', opened as object, change);
        t.equal(error?.errno, EPERM, 'nor through a descriptor');
      }
      for (const name of ['made', 'dir', 'open']) t.equal(stat(node, name).mode & SET_ID, 0);
      t.equal(stat(node, 'open').size, 0, 'what is refused does nothing');
      t.equal(await node.ask('t_fs_setattr', 'made', { perm: 0o700 }), 0, 'other modes are set');
    },
  );

t.test('who opens a file to read and truncate needs the right to write', needsRoot, async (t) => {
  const truncating = { flags: fs.constants.O_RDONLY | fs.constants.O_TRUNC };
  const node = await ExportingNode.start(t);
  for (const [name, mode] of [
    ['open', 0o666],
    ['shut', 0o644],
  ] as const) {
    fs.writeFileSync(join(node.path, name), 'text');
    fs.chmodSync(join(node.path, name), mode);
  }
  t.equal(await node.ask('t_fs_open', 'open', truncating), 0);
  t.equal(stat(node, 'open').size, 0);
  t.equal(await node.ask('t_fs_open', 'shut', truncating), EACCES);
  t.equal(stat(node, 'shut').size, 4);
  t.equal(
    await node.ask('t_fs_create', '', { name: 'new', perm: 0o444, ...truncating }),
    0,
    'a new one is empty anyway',
  );

  const trusting = await ExportingNode.start(t, { as: 'root' });
  fs.writeFileSync(join(trusting.path, 'tool'), 'program');
  fs.chmodSync(join(trusting.path, 'tool'), 0o6755);
  t.equal(await trusting.ask('t_fs_open', 'tool', truncating), 0);
  t.equal(stat(trusting, 'tool').mode & SET_ID, 0);
});

t.test('remote callers act as nobody, have no capability, and give nothing away', needsRoot, async (t) => {
  const node = await ExportingNode.start(t);
  const { path } = node;
  await node.create('made', 0o644);
  t.same([stat(node, 'made').uid, stat(node, 'made').gid], [NOBODY_UID, NOBODY_UID]);
  t.equal(await node.ask('t_fs_setattr', 'made', { uid: 0 }), EPERM);
  t.equal(await node.ask('t_fs_setattr', 'made', { gid: 0 }), EPERM);
  t.equal(
    await node.ask('t_fs_setattr', 'made', { uid: NOBODY_UID, gid: NOBODY_UID }),
    0,
    'to whom it belongs',
  );

  fs.writeFileSync(join(path, 'root-only'), 'secret', { mode: 0o600 });
  fs.mkdirSync(join(path, 'private'), { mode: 0o700 });
  fs.writeFileSync(join(path, 'private/f'), 'secret');
  t.equal(await node.ask('t_fs_open', 'root-only', { mode: 'r' }), EACCES);
  t.equal(await node.ask('t_fs_open', 'root-only', { mode: 'w' }), EACCES);
  t.equal(await node.ask('t_fs_setattr', 'root-only', { size: 0 }), EACCES);
  t.equal(await node.ask('t_fs_setattr', 'root-only', { perm: 0o666 }), EPERM);
  t.equal(await node.ask('t_fs_setattr', 'root-only', { mtime_ns: '1' }), EPERM);
  t.equal(await node.ask('t_fs_readdirp', 'private'), EACCES);
  t.equal(await node.ask('t_fs_unlink', '', { name: 'root-only' }), EPERM, 'the directory is sticky');
  t.equal(fs.readFileSync(join(path, 'root-only'), 'utf8'), 'secret');

  fs.writeFileSync(join(path, 'group-of-root'), 'secret', { mode: 0o660 });
  t.equal(await node.ask('t_fs_open', 'group-of-root', { mode: 'r' }), EACCES, "nor in root's groups");
});

/** A group of this machine with a member, `name:x:gid:members`. */
const withMember = fs
  .readFileSync('/etc/group', 'utf8')
  .split('\n')
  .map((line) => line.split(':'))
  .find(([, , , members]) => members !== undefined && members !== '' && members !== 'root');

t.test(
  'a user by name acts with the groups it has',
  withMember === undefined ? { skip: 'no user here has a supplementary group' } : needsRoot,
  async (t) => {
    const [, , gid, members] = withMember!;
    const node = await ExportingNode.start(t, { as: members!.split(',')[0]! });
    fs.writeFileSync(join(node.path, 'of-the-group'), 'x', { mode: 0o640 });
    fs.chownSync(join(node.path, 'of-the-group'), 0, Number(gid));
    t.equal(await node.ask('t_fs_open', 'of-the-group', { mode: 'r' }), 0);
  },
);

t.test('a set-id file that is written loses its bits, whichever user writes', needsRoot, async (t) => {
  for (const as of [null, 'root']) {
    const node = await ExportingNode.start(t, { as });
    const path = join(node.path, 'tool');
    for (const size of [0, 3]) {
      fs.writeFileSync(path, 'program');
      fs.chmodSync(path, 0o6777);
      t.equal(await node.ask('t_fs_setattr', 'tool', { size }), 0);
      t.equal(fs.statSync(path).mode & SET_ID, 0, 'truncated');
    }
    fs.chmodSync(path, 0o6777);
    const { payload } = await node.peer.askFiles('t_fs_open', { node: await node.id('tool') }, { mode: 'w' });
    await node.peer.askFiles('t_fs_write', { h: payload!['handle'] }, { offset: 0, data_b64: 'eA==' });
    t.equal(fs.statSync(path).mode & SET_ID, 0, 'written');
  }
});

t.test(
  'attributes that only root may see, or that give rights, are neither read nor written',
  needsRoot,
  async (t) => {
    const native = loadNative()!;
    for (const as of [null, 'root']) {
      const node = await ExportingNode.start(t, { as });
      const path = join(node.path, 'f');
      fs.writeFileSync(path, 'x');
      fs.chmodSync(path, 0o666);
      native.setxattr(path, 'trusted.secret', Buffer.from('secret'), 0);
      native.setxattr(path, 'user.open', Buffer.from('open'), 0);
      t.equal(await node.ask('t_fs_getxattr', 'f', { name: 'trusted.secret' }), ENODATA);
      t.equal(await node.ask('t_fs_getxattr', 'f', { name: 'user.open' }), 0);
      const listed = await node.peer.askFiles('t_fs_listxattr', { node: await node.id('f') });
      t.strictSame(listed.payload!['names'], ['user.open']);
      for (const name of ['trusted.secret', 'trusted.other', 'security.capability', 'security.other']) {
        t.equal(await node.ask('t_fs_setxattr', 'f', { name, value_b64: 'AAAA' }), EPERM);
        t.equal(await node.ask('t_fs_removexattr', 'f', { name }), EPERM);
      }
      t.equal(await node.ask('t_fs_setxattr', 'f', { name: 'odd', value_b64: 'AAAA' }), EOPNOTSUPP);
    }
  },
);

t.test('a node that is not root acts as itself, and makes no set-id file either', needsRoot, async (t) => {
  const program = join(import.meta.dirname, 'fixtures/export-as-user-program.js');
  const { stdout } = await runAs(STRANGER_UID, [process.execPath, program]);
  t.strictSame(JSON.parse(stdout), { mode: 0o755, chmod: 'EPERM', kept: 0o755, chgrp: 'EPERM', own: 'none' });
});

t.test('nobody is root for others unless the admin says so', needsRoot, async (t) => {
  const path = '/srv';
  const start = (
    as: string | null,
    driverUser: { uid: number; gid: number } | null,
  ): Promise<string | null> =>
    errnoOf(async () => {
      const exports = [{ name: 'x', path, readOnly: true, as }];
      await (await TestNode.start(t, [], { exports, driverUser })).node.close();
    });
  t.equal(await start(null, { uid: 0, gid: 0 }), 'EPERM', 'the driver user is root');
  t.equal(await start('root', { uid: 0, gid: 0 }), null);
  t.equal(await start('0:0', null), null);
  t.equal(await start('1000:1000', null), null);
  t.equal(await start('no-such-user', null), 'EIO');
});
