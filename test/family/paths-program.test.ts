import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { temporaryDir } from '../support/test-node.js';
import { familyWorld } from './fixtures/family-world.js';
import { ControlProgram } from './fixtures/control-program.js';
import { flag, list, number, text, type Answer } from './fixtures/reading.js';

const fixed = join(temporaryDir(t), 'fixed');
mkdirSync(join(fixed, 'sub'), { recursive: true });
writeFileSync(join(fixed, 'README.md'), 'Read me.\n');
const { plane, folder, token } = await familyWorld(t, {
  files: { 'README.md': 'Read me.\n' },
  exports: [`fixed=${fixed}`],
});
symlinkSync('README.md', join(folder, 'link'));
symlinkSync('nowhere', join(folder, 'dangling'));
const start = (role: 'admin' | 'user'): Promise<ControlProgram> =>
  ControlProgram.start(t, plane.url, { token: token(role), connect: {} });
const WORK = '/nodes/n1/fs/work';
const FIXED = '/nodes/n1/fs/fixed';

interface Known {
  readonly id: number;
  readonly parent: number | null;
  readonly isDir: boolean;
  readonly mode: number;
  readonly size: number;
  readonly writable: boolean;
}

/** What the family's mount keeps of the graph: pieces of it are put together by their ids. */
class Graph {
  readonly nodes = new Map<string, Known>();
  readonly #program: ControlProgram;
  readonly #attach: string;

  constructor(program: ControlProgram, attach = 'mount_attach') {
    this.#program = program;
    this.#attach = attach;
  }

  async load(path: string, depth = 1): Promise<void> {
    const graph = await this.#program.ask(this.#attach, { path, depth });
    for (const key of ['graph_generation', 'root_node_id']) number(graph, key);
    list(graph, 'sources');
    if (text(graph, 'mount_session_id') === '') throw new Error('There is no session.');
    for (const node of list(graph, 'nodes')) this.#keep(node);
  }

  #keep(node: Answer): void {
    const kind = text(node, 'kind');
    if (!['synthetic_directory', 'synthetic_file', 'alias', 'export_root'].includes(kind))
      throw new Error(kind);
    const content = node['content_mode'];
    if (content !== null && content !== 'remote_read' && content !== 'remote_rw')
      throw new Error('content_mode');
    const path = text(node, 'path');
    if (text(node, 'name') !== (path === '/' ? '/' : path.split('/').at(-1))) throw new Error(path);
    this.nodes.set(path, {
      id: number(node, 'id'),
      parent: node['parent_id'] === null ? null : number(node, 'parent_id'),
      isDir: kind === 'synthetic_directory',
      mode: number(node, 'mode'),
      size: number(node, 'size'),
      writable: flag(node, 'writable'),
    });
    number(node, 'canonical_node_id');
  }

  /** Walks down name by name, and loads each directory on the way. */
  async at(path: string): Promise<Known | undefined> {
    let at = '/';
    await this.load(at);
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (this.nodes.get(at)?.isDir === true) await this.load(at);
      at = at === '/' ? `/${name}` : `${at}/${name}`;
      if (!this.nodes.has(at)) return undefined;
    }
    return this.nodes.get(at);
  }

  async names(path: string): Promise<string[]> {
    const dir = await this.at(path);
    await this.load(path);
    return [...this.nodes]
      .filter(([, { parent }]) => parent === dir?.id)
      .map(([at]) => at.split('/').at(-1)!);
  }
}

const read = async (
  program: ControlProgram,
  path: string,
  length = 5,
  name = 'mount_file_read',
): Promise<string> => {
  const parts: Buffer[] = [];
  for (let offset = 0; ;) {
    const answer = await program.ask(name, { path, offset, length });
    const bytes = Buffer.from(text(answer, 'data_b64'), 'base64');
    if (number(answer, 'n') !== bytes.length) throw new Error('n');
    parts.push(bytes);
    offset += bytes.length;
    if (flag(answer, 'eof')) return Buffer.concat(parts).toString();
  }
};
const write = async (
  program: ControlProgram,
  path: string,
  content: string,
  more: object = {},
): Promise<number> => {
  const data_b64 = Buffer.from(content).toString('base64');
  return number(await program.ask('mount_file_write', { path, offset: 0, data_b64, ...more }), 'n');
};

for (const role of ['admin', 'user'] as const)
  for (const version of ['', '_v2'])
    t.test(
      `a mount puts the tree together by paths, reads and calls, as ${role}, mount_*${version}`,
      async (t) => {
        const program = await start(role);
        const graph = new Graph(program, `mount_attach${version}`);
        t.match(await graph.at('/'), { isDir: true, mode: 0o40555, parent: null });
        const services = await graph.names('/nodes/n1/services');
        t.equal(services.includes('hidden'), role === 'admin');
        t.ok(services.includes('upper'));
        t.match(
          (await graph.names(WORK)).sort(),
          ['README.md', 'link', 'sub'],
          'a link that leads nowhere is not there',
        );
        const content = readFileSync(join(folder, 'README.md'), 'utf8');
        for (const name of ['README.md', 'link'])
          t.match(await graph.at(`${WORK}/${name}`), { isDir: false, size: content.length, mode: Number });
        t.equal(await read(program, `${WORK}/link`, 5, `mount_file_read${version}`), content);
        t.equal(await graph.at('/nodes/n1/none'), undefined);

        const invoke = '/nodes/n1/services/upper/control/invoke.json';
        t.equal((await graph.at(invoke))?.writable, true);
        await program.ask(`mount_file_write${version}`, {
          ...{ path: invoke, offset: 0, data_b64: Buffer.from('{"text":"by path"}').toString('base64') },
        });
        t.same(JSON.parse(await read(program, '/nodes/n1/services/upper/result.json', 1000)), {
          TEXT: 'BY PATH',
        });
      },
    );

t.test('an admin makes, changes, moves and removes what is in a folder', async (t) => {
  const program = await start('admin');
  const path = `${WORK}/new.txt`;
  t.equal(await write(program, path, ''), 0, 'it is made by its first write');
  await program.ask('mount_path_setattr', { path, mode: 0o600 });
  t.match(
    [statSync(join(folder, 'new.txt')).mode & 0o777, statSync(join(folder, 'new.txt')).size],
    [0o600, 0],
  );
  t.equal(await write(program, path, 'Hello, world.\n'), 14);
  t.equal(await write(program, path, 'W', { offset: 7 }), 1);
  t.equal(await read(program, path), 'Hello, World.\n');
  await write(program, path, '', { truncate_to_size: 5 });
  t.equal(await read(program, path), 'Hello');
  await write(program, path, 'Bye', { truncate_to_size: 3 });
  t.equal(readFileSync(join(folder, 'new.txt'), 'utf8'), 'Bye', 'all of it in the place of what was there');
  await program.ask('mount_path_rename', { old_path: path, new_path: `${WORK}/sub/old.txt` });
  t.notOk(existsSync(join(folder, 'new.txt')));
  await program.ask('mount_path_symlink', { target: 'old.txt', link_path: `${WORK}/sub/l` });
  t.match(await program.ask('mount_path_readlink_v2', { path: `${WORK}/sub/l` }), { target: 'old.txt' });
  t.equal(await read(program, `${WORK}/sub/l`), 'Bye');
  const named = { path: `${WORK}/sub/old.txt`, name: 'user.note' };
  await program.ask('mount_path_setxattr', { ...named, value_b64: 'aGk=', flags: 0 });
  t.match(await program.ask('mount_path_getxattr', named), { value_b64: 'aGk=' });
  t.ok(
    ((await program.ask('mount_path_listxattr', { path: named.path }))['names'] as string[]).includes(
      'user.note',
    ),
  );
  await program.ask('mount_path_removexattr', named);
  await program.ask('mount_path_mkdir_v2', { path: `${WORK}/sub/dir` });
  t.ok(lstatSync(join(folder, 'sub', 'dir')).isDirectory());
  await program.ask('mount_path_rmdir', { path: `${WORK}/sub/dir` });
  for (const name of ['l', 'old.txt'])
    await program.ask('mount_path_unlink_v2', { path: `${WORK}/sub/${name}` });
  t.same(await new Graph(program).names(`${WORK}/sub`), []);
});

t.test('what fails has the code that they know, and what a user may not is refused', async (t) => {
  const [admin, user] = [await start('admin'), await start('user')];
  const at = (path: string): object => ({ path });
  t.match(await admin.reply('mount_file_read', at(`${WORK}/none`)), {
    error: { code: 'enoent', also: 'not_found' },
  });
  t.equal(await admin.codeOf('mount_file_read', at(WORK)), 'eisdir');
  t.equal(await admin.codeOf('mount_file_read', at(`${WORK}/README.md/x`)), 'enotdir');
  t.equal(await admin.codeOf('mount_path_mkdir', at(`${WORK}/sub`)), 'eexist');
  t.equal(await admin.codeOf('mount_path_readlink', at(WORK)), 'invalid_payload');
  for (const path of ['/nodes/n1/services/hidden', '/control'])
    for (const name of ['mount_attach', 'mount_file_read'])
      t.equal(await user.codeOf(name, at(path)), 'enoent', `${name} ${path}`);
  const before = readFileSync(join(fixed, 'README.md'), 'utf8');
  for (const [name, more] of [
    ['mount_file_write', { path: `${FIXED}/README.md`, data_b64: 'eA==' }],
    ['mount_file_write', { path: `${FIXED}/mine.txt`, data_b64: '' }],
    ['mount_path_unlink', { path: `${FIXED}/README.md` }],
    ['mount_path_mkdir', { path: `${FIXED}/mine` }],
    ['mount_path_rmdir', { path: `${FIXED}/sub` }],
    ['mount_path_rename', { old_path: `${FIXED}/sub`, new_path: `${FIXED}/mine` }],
    ['mount_path_symlink', { target: 'x', link_path: `${FIXED}/mine` }],
    ['mount_path_setattr', { path: `${FIXED}/README.md`, mode: 0o777 }],
  ] as const)
    t.match(await user.codeOf(name, more), /^(forbidden|erofs)$/, name);
  t.equal(readFileSync(join(fixed, 'README.md'), 'utf8'), before);
  t.notOk(existsSync(join(fixed, 'mine.txt')));
  t.notOk(existsSync(join(fixed, 'mine')));
});

t.test('paths and numbers of any kind are refused one by one, and the connection lives', async (t) => {
  const program = await start('user');
  const paths = [null, 5, '', 'nodes', '../etc', [], {}, '/'.padEnd(5000, 'x'), '/a\0b'];
  for (const path of paths)
    for (const name of ['mount_attach', 'mount_file_read', 'mount_path_unlink', 'mount_path_readlink_v2'])
      t.match(
        await program.codeOf(name, { path }),
        /^(invalid_payload|missing_field|enoent)$/,
        `${name} ${JSON.stringify(path)?.slice(0, 30)}`,
      );
  t.match(
    await program.ask('mount_attach', { path: '/../../..', depth: 1 }),
    { nodes: Array },
    'above the root is the root',
  );
  for (const number of [-1, 1.5, '1', {}, 1e300])
    for (const key of ['offset', 'length'])
      t.equal(
        await program.codeOf('mount_file_read', { path: '/README.md', [key]: number }),
        'invalid_payload',
      );
  const big = await program.ask('mount_file_read', { path: '/README.md', length: 1e12 });
  t.equal(big['eof'], true);
  t.equal(await program.codeOf('mount_file_write', { path: '/README.md', data_b64: '!' }), 'invalid_payload');
  t.ok((await program.ask('mount_attach', { depth: 1e9 }))['nodes'], 'no deeper than it goes');
  t.ok(await program.ask('ping', {}, 'pong'));
});
