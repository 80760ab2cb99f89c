import t from 'tap';
import { walk, type DirNode } from '../../lib/vfs/index.js';
import { OTHER_USER, TestNode, USER, WRITE, errnoOf, readAll, shellManifest } from '../support/test-node.js';

const OBSERVED = { allow_roles: ['admin', 'user'], actions: { invoke: { allow_roles: ['admin'] } } };

/** `calls/` of a service as one session has it. */
class Calls {
  readonly #node: TestNode;
  readonly #session;

  constructor(node: TestNode, session = USER) {
    this.#node = node;
    this.#session = session;
  }

  async dir(): Promise<DirNode> {
    const dir = await walk(this.#node.world.root, this.#node.path('tool', 'calls'), this.#op);
    return dir as DirNode;
  }

  get #op() {
    return this.#node.op(this.#session);
  }

  async write(name: string, text: string): Promise<void> {
    const { handle } = await (await this.dir()).create(name, WRITE, 0o644, this.#op);
    try {
      await handle.write(0, Buffer.from(text), this.#op);
      await handle.flush?.(this.#op);
    } finally {
      await handle.release();
    }
  }

  async read(name: string): Promise<string> {
    const file = await (await this.dir()).lookup(name, this.#op);
    if (file.kind !== 'file') throw new TypeError(name);
    const handle = await file.open({ ...WRITE, read: true, write: false }, this.#op);
    return readAll(handle, this.#op);
  }

  async rename(name: string, toName: string, flags = 0): Promise<void> {
    const dir = await this.dir();
    await dir.rename(name, dir, toName, flags, this.#op);
  }

  async remove(name: string): Promise<void> {
    await (await this.dir()).unlink(name, this.#op);
  }

  async names(): Promise<string[]> {
    return (await (await this.dir()).list(this.#op)).map(({ name }) => name).sort();
  }

  async waitFor(call: string): Promise<void> {
    const link = await walk(this.#node.world.root, this.#node.path('tool', `jobs/by-key/${call}`), this.#op);
    const job = link.kind === 'symlink' ? await link.readlink(this.#op) : '';
    await this.#node.write(this.#node.path('tool', `jobs/${job.slice(3)}/wait`), '60\n', this.#session);
  }
}

t.test('a file in calls/ that gets its name is a call, and its outcome appears beside it', async (t) => {
  const node = await TestNode.start(t, [
    shellManifest('tool', 'read line; test "$line" != "{\\"fail\\":1}" || exit 3; echo "$line"'),
  ]);
  const calls = new Calls(node);
  await calls.write('draft.tmp', '{"n":1}\n');
  t.same(await calls.names(), ['draft.tmp'], 'only a file yet');
  await calls.rename('draft.tmp', 'one.json');
  await calls.waitFor('one');
  t.same(await calls.names(), ['one.json', 'one.result.json']);
  t.equal(await calls.read('one.result.json'), '{\n  "n": 1\n}\n');
  t.equal(await calls.read('one.json'), '{"n":1}\n');

  await calls.write('two.json', '{"fail":1}');
  await calls.waitFor('two');
  t.match(await calls.read('two.error.txt'), /^EIO: /);
  t.notOk((await calls.names()).includes('two.result.json'));

  await calls.write('again.tmp', '{"n":1}');
  await calls.rename('again.tmp', 'one.json');
  t.match(
    await node.json(node.path('tool', 'metrics.json'), USER),
    { invokes_total: 2 },
    'the name is the key',
  );
  await calls.write('other.tmp', '{"n":2}');
  t.equal(await errnoOf(() => calls.rename('other.tmp', 'one.json')), 'EEXIST');
  t.equal(await calls.read('one.result.json'), '{\n  "n": 1\n}\n', 'and the first outcome stands');

  t.same(await new Calls(node, OTHER_USER).names(), [], 'others see nothing of it');
  await calls.remove('other.tmp');
  for (const name of await calls.names()) await calls.remove(name);
  t.same(await calls.names(), []);
  t.equal(
    (await node.names(node.path('tool', 'jobs'), USER)).length,
    5,
    'jobs/ has the calls and the refusal',
  );
});

t.test('what cannot be a call is refused to whoever gives it its name, and can be corrected', async (t) => {
  const schema = { input: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } } };
  const node = await TestNode.start(t, [shellManifest('tool', 'cat', { schema })]);
  const calls = new Calls(node);
  for (const [name, text] of [
    ['schema', '{"n":"x"}'],
    ['half', '{"n":'],
    ['none', '5'],
    ['two', '{"n":1}{"n":2}'],
    ['blank', '\n'],
    ['key', '{"_key":"other","n":1}'],
  ] as const) {
    t.equal(await errnoOf(() => calls.write(`${name}.json`, text)), 'EINVAL', name);
    t.match(await calls.read(`${name}.error.txt`), /^EINVAL: /, name);
    await calls.write('corrected', '{"n":1}');
    await calls.rename('corrected', `${name}.json`);
    await calls.waitFor(name);
    t.same(
      (await calls.names()).filter((file) => file.startsWith(name)),
      [`${name}.json`, `${name}.result.json`],
    );
  }
  t.match(await node.json(node.path('tool', 'metrics.json'), USER), { invokes_total: 6, rejected_total: 6 });
  for (const name of ['x.result.json', 'x.error.txt'])
    t.equal(await errnoOf(() => calls.write(name, '{}')), 'EPERM', name);
  await calls.write('.hidden.json', '{"n":1}');
  await calls.write('empty', '');
  await calls.rename('empty', 'still.empty');
  t.ok((await calls.names()).includes('.hidden.json'), 'a hidden file is no call');
  t.equal(await errnoOf(() => calls.rename('still.empty', '.hidden.json', 1)), 'EEXIST');
});

t.test('files in calls/ are bounded in number and size, and what was submitted frees its room', async (t) => {
  const node = await TestNode.start(t, [shellManifest('tool', 'cat')]);
  const calls = new Calls(node);
  const large = 'x'.repeat(3 * 1024 * 1024);
  await calls.write('a', large);
  await calls.write('b', large);
  t.equal(await errnoOf(() => calls.write('c', large)), 'ENOSPC');
  await calls.remove('a');
  await calls.write('c', large);
  for (const name of ['b', 'c']) await calls.remove(name);
  for (let i = 0; i < 40; i++)
    await calls.write(`call-${i}.json`, JSON.stringify({ text: 'x'.repeat(500_000) }));
  for (let i = 0; i < 256; i++) await calls.write(`${i}`, '');
  t.equal(await errnoOf(() => calls.write('more', '')), 'ENOSPC');
});

t.test('calls/ is for who may invoke, and comes back after a restart as jobs/ does', async (t) => {
  const node = await TestNode.start(t, [
    shellManifest('tool', 'cat'),
    shellManifest('seen', 'cat', { permissions: OBSERVED }),
    { service_id: 'notes', kind: 'notes', permissions: { allow_roles: 'all' } },
  ]);
  t.notOk((await node.names(node.path('notes', ''), USER)).includes('calls'));
  t.equal(await errnoOf(() => node.names(node.path('seen', 'calls'), USER)), 'ENOENT');
  const calls = new Calls(node);
  t.equal((await (await calls.dir()).stat(node.op(USER))).mode, 0o755);
  await calls.write('kept.json', '{"n":1}');
  await calls.waitFor('kept');
  await node.restart();
  t.same(await calls.names(), ['kept.json', 'kept.result.json']);
  t.equal(await errnoOf(() => calls.rename('kept.json', 'other.json')), 'EEXIST');
});
