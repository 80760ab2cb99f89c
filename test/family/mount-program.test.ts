import { readFileSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { familyWorld } from './fixtures/family-world.js';
import { MountProgram } from './fixtures/mount-program.js';

const { plane, folder, token } = await familyWorld(t, {
  files: {
    'README.md': 'Read me.\n',
    ...Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`sub/f${n}`, String(n)])),
  },
});
const endpoint = `${plane.url}/v2/fs/node/n1`;

t.test('an endpoint of one node lists its services and folders under names of one part', async (t) => {
  const program = await MountProgram.start(t, endpoint, token('admin'));
  t.match(
    program.exports.map(({ name }) => name),
    ['svc-fs', 'svc-hidden', 'svc-upper', 'work'],
  );
  t.match(
    program.exports.find(({ name }) => name === 'svc-upper'),
    { source_id: 'service:upper', caps: { read: true, invoke: true } },
  );
});

t.test('files are walked, listed page by page with dots, read and closed', async (t) => {
  const program = await MountProgram.start(t, endpoint, token('admin'));
  const readme = await program.at('work', 'README.md');
  t.match(readme, { k: 1, sz: 9 });
  t.equal(readme.m & 0o170000, 0o100000);
  t.equal(await program.read(readme.id, 4), 'Read me.\n', 'in pieces');
  const sub = await program.at('work', 'sub');
  t.equal(sub.k, 2);
  const entries = await program.list(sub.id, 7);
  t.same(
    entries.map(({ name }) => name).sort(),
    ['.', '..', ...Array.from({ length: 25 }, (_none, n) => `f${n}`)].sort(),
  );
  t.equal(entries.find(({ name }) => name === '.')?.attr?.id, sub.id);
  t.equal(entries.find(({ name }) => name === '..')?.attr?.id, program.rootOf('work'));
  t.equal(entries.find(({ name }) => name === 'f7')?.attr?.sz, 1);
  await t.rejects(program.at('work', 'absent'), { message: 'errno 2' });
});

t.test('files are made, written, cut, moved and removed', async (t) => {
  const program = await MountProgram.start(t, endpoint, token('admin'));
  const root = program.rootOf('work');
  const made = await program.call('create', { node: root }, { name: 'new', mode: 0o100640, flags: 2 });
  const { h, attr } = made as { h: number; attr: { id: number; m: number } };
  t.equal(attr.m, 0o100640);
  t.match(await program.call('write', { h }, { off: 2, data_b64: Buffer.from('later').toString('base64') }), {
    n: 5,
  });
  t.match(await program.call('write', { h }, { off: 0, data_b64: Buffer.from('a ').toString('base64') }), {
    n: 2,
  });
  await program.call('close', { h });
  t.equal(readFileSync(join(folder, 'new'), 'utf8'), 'a later');
  await program.call('truncate', { node: attr.id }, { sz: 1 });
  t.equal((await program.at('work', 'new')).sz, 1);
  const sub = await program.at('work', 'sub');
  const move = { old_parent: root, old_name: 'new', new_parent: sub.id, new_name: 'moved' };
  await program.call('rename', {}, move);
  t.equal(readFileSync(join(folder, 'sub', 'moved'), 'utf8'), 'a');
  await program.call('unlink', { node: sub.id }, { name: 'moved' });
  const dir = await program.call('mkdir', { node: root }, { name: 'dir' });
  t.match(dir['attr'], { k: 2 });
  await program.call('symlink', { node: root }, { name: 'link', target: 'README.md' });
  t.match(await program.at('work', 'link'), { k: 3 });
  await program.call('rmdir', { node: root }, { name: 'dir' });
  await program.call('unlink', { node: root }, { name: 'link' });
  t.notOk(existsSync(join(folder, 'dir')));
  const space = await program.call('statfs', { node: root });
  for (const key of ['bsize', 'frsize', 'blocks', 'bfree', 'bavail', 'files', 'ffree', 'namemax'])
    t.type(space[key], 'number', key);
});

t.test('a service is called through the endpoint, and its live files are read', async (t) => {
  const program = await MountProgram.start(t, endpoint, token('user'));
  const invoke = await program.at('svc-upper', 'control/invoke.json');
  t.equal(await program.write(invoke.id, '{"text":"hi"}'), 13);
  const result = await program.at('svc-upper', 'result.json');
  t.same(JSON.parse(await program.read(result.id)), { TEXT: 'HI' });
  const entries = await program.list(program.rootOf('svc-upper'), 100);
  t.ok(
    entries.some(({ name, attr }) => name === 'status.json' && attr === undefined),
    'asked for anew at each look',
  );
});

t.test('a hello that is said again is answered: that is how it looks whether we are there', async (t) => {
  const program = await MountProgram.start(t, endpoint, token('admin'));
  t.match(
    await program.call('hello', {}, { protocol: 'unified-v2-fs', proto: 2, subscribe_invalidations: false }),
    {
      protocol: 'unified-v2-fs',
      caps: { read: true },
      node: { os: String },
    },
  );
});

t.test('a change on the host is announced to it', async (t) => {
  const program = await MountProgram.start(t, endpoint, token('admin'));
  const root = program.rootOf('work');
  await program.list(root, 100);
  writeFileSync(join(folder, 'appeared'), 'x');
  const event = await program.socket.next(({ type }) => type === 'acheron.e_fs_inval_dir', 'the event');
  t.match(event.payload, { dir: root, dir_gen: Number });
  t.ok((event.payload?.['dir_gen'] as number) > 0);
});

t.test('a user sees of the node what a user may, and of another node nothing', async (t) => {
  const program = await MountProgram.start(t, endpoint, token('user'));
  t.notOk(program.exports.some(({ name }) => name === 'svc-hidden'));
  const other = MountProgram.start(t, `${plane.url}/v2/fs/node/none`, token('user'));
  await t.rejects(other, { message: 'errno 2' });
  await t.rejects(MountProgram.start(t, endpoint, 'wrong'), { message: 'errno 13' });
});

t.test('links and attributes of its own are made, read and removed', async (t) => {
  const program = await MountProgram.start(t, endpoint, token('admin'));
  const root = program.rootOf('work');
  await program.call('symlink', { node: root }, { name: 'link', target: 'README.md' });
  t.equal((await program.at('work', 'link')).k, 3);
  const { id } = await program.at('work', 'README.md');
  const value_b64 = Buffer.from('blue').toString('base64');
  await program.call('setxattr', { node: id }, { name: 'user.colour', value_b64, flags: 0 });
  t.same(await program.call('getxattr', { node: id }, { name: 'user.colour' }), { value_b64 });
  t.match(await program.call('listxattr', { node: id }), { names: ['user.colour'] });
  await program.call('removexattr', { node: id }, { name: 'user.colour' });
  await t.rejects(program.call('getxattr', { node: id }, { name: 'user.colour' }), { message: 'errno 61' });
  await program.call('unlink', { node: root }, { name: 'link' });
});

t.test(
  'a file is locked by one or read-locked by many, also over other endpoints, until it is closed',
  async (t) => {
    const one = await MountProgram.start(t, endpoint, token('admin'));
    const other = await MountProgram.start(t, endpoint, token('admin'));
    const open = async (program: MountProgram): Promise<number> => {
      const { id } = await program.at('work', 'README.md');
      return (await program.call('open', { node: id }, { flags: 2 }))['h'] as number;
    };
    const [first, second] = [await open(one), await open(other)];
    const lock = (program: MountProgram, h: number, kind: string, wait = false): Promise<object> =>
      program.call('lock', { h }, { kind, wait });
    await lock(one, first, 'exclusive');
    for (const kind of ['shared', 'exclusive'])
      await t.rejects(lock(other, second, kind), { message: 'errno 11' }, kind);
    await lock(one, first, 'shared');
    await lock(other, second, 'shared');
    await t.rejects(lock(other, second, 'exclusive'), { message: 'errno 11' });
    const waits = lock(other, second, 'exclusive', true);
    await lock(one, first, 'unlock');
    await waits;
    await t.rejects(lock(one, first, 'shared'), { message: 'errno 11' });
    const late = lock(one, first, 'exclusive', true);
    other.socket.close();
    await late;
    const third = await open(one);
    await t.rejects(
      lock(one, third, 'shared'),
      { message: 'errno 11' },
      'each descriptor by itself, as flock(2)',
    );
    await one.call('close', { h: first });
    await lock(one, third, 'exclusive');
    for (const payload of [{}, { kind: 'mine' }, { kind: 'shared', wait: 'long' }, { kind: ['shared'] }])
      await t.rejects(
        one.call('lock', { h: third }, payload),
        { message: 'errno 22' },
        JSON.stringify(payload),
      );
    await t.rejects(one.call('lock', { h: 9999 }, { kind: 'shared' }), { message: 'errno 9' });
    await one.call('close', { h: third });
  },
);

t.test('fields of the wrong kind are refused one by one, and the connection lives', async (t) => {
  const program = await MountProgram.start(t, endpoint, token('admin'));
  const root = program.rootOf('work');
  const hostile: [string, object, object][] = [
    ['read', { h: 1 }, { off: -1, len: 1 }],
    ['read', { h: 1 }, { off: 'x', len: {} }],
    ['rename', {}, { old_parent: 'root', old_name: 'a', new_parent: root, new_name: 'b' }],
    ['rename', {}, { old_parent: root, old_name: '../x', new_parent: root, new_name: 'b' }],
    ['readdirp', { node: root }, { cookie: 0, max: 'many' }],
    ['create', { node: root }, { name: 'a/b', mode: 420, flags: 2 }],
    ['create', { node: root }, { name: '__proto__', mode: 1e300, flags: -1 }],
    ['truncate', { node: root }, { sz: 5 }],
    ['lookup', { node: 999_999 }, { name: 'x' }],
    ['nothing_of_ours', { node: root }, {}],
  ];
  for (const [name, at, payload] of hostile)
    await t.rejects(
      program.call(name, at, payload),
      { message: /^errno \d+$/ },
      `${name} ${JSON.stringify(payload)}`,
    );
  t.equal((await program.at('work', 'README.md')).sz, 9);
});
