import fc from '../support/properties.js';
import t from 'tap';
import { FS_MESSAGES } from '../../lib/protocol/index.js';
import { createReferenceTree } from '../support/reference-tree.js';
import { RawClient } from '../support/raw-client.js';
import { servedOnWs } from '../support/served.js';

/** Is a peer that behaves still served? */
async function serves(url: string): Promise<boolean> {
  const client = await RawClient.afterHello(url);
  const found = await client.ask('t_fs_lookup', { node: 1 }, { path: 'docs/hello.txt' });
  client.close();
  return found.payload['size'] === 6;
}

t.test(
  'garbage is answered with an error frame, and in the end the peer is cut; others are served',
  async (t) => {
    const { url } = await servedOnWs(t, createReferenceTree());
    const hostile = await RawClient.afterHello(url);
    const garbage: unknown[] = [
      'not json',
      '[]',
      'null',
      '{}',
      '{"channel":"acheron"}',
      '{"channel":"acheron","type":7,"tag":1}',
      '{"channel":"nowhere","type":"acheron.t_fs_read","tag":1}',
      '{"channel":"acheron","type":"acheron.t_fs_read"}',
      '{"channel":"acheron","type":"acheron.r_fs_read","tag":1,"ok":true}',
      '{"channel":"acheron","type":"acheron.__proto__","tag":1}',
      '{"channel":"acheron","type":"acheron.t_fs_constructor","tag":1}',
      '{"channel":"acheron","type":"acheron.t_fs_toString","tag":1}',
      Buffer.from([0, 0, 0, 255, 1]),
      Buffer.alloc(3),
      '['.repeat(100_000),
    ];
    for (const frame of garbage) {
      const answer = hostile.next(({ ok }) => ok === false);
      hostile.send(frame);
      t.match(await answer, { ok: false, error: { message: String } }, String(frame).slice(0, 60));
    }
    t.ok(await serves(url));
    for (let i = 0; i < 64; i++) hostile.send('rubbish');
    t.equal(await hostile.closed, 1002);
    t.ok(await serves(url));
  },
);

t.test(
  'numbers that were never given out, tags in use, and wrong types are refused one by one',
  async (t) => {
    const { url } = await servedOnWs(t, createReferenceTree());
    const hostile = await RawClient.afterHello(url);
    t.teardown(() => hostile.close());
    t.match(await hostile.ask('t_fs_getattr', { node: 4711 }), { error: { errno: 116 } });
    t.match(await hostile.ask('t_fs_read', { h: 4711 }, { offset: 0, count: 1 }), { error: { errno: 9 } });
    for (const [type, root, payload] of [
      ['t_fs_getattr', {}, {}],
      ['t_fs_read', { h: 1 }, { offset: -1, count: 1 }],
      ['t_fs_read', { h: 1 }, { offset: 0.5, count: 1 }],
      ['t_fs_read', { h: 1 }, { offset: 2 ** 60, count: 1 }],
      ['t_fs_lookup', { node: 1 }, { name: '..' }],
      ['t_fs_lookup', { node: 1 }, { name: 'a/b' }],
      ['t_fs_lookup', { node: 1 }, { name: 'x'.repeat(256) }],
      ['t_fs_lookup', { node: 1 }, { name: { toString: 1 } }],
      ['t_fs_lookup', { node: 1 }, {}],
      ['t_fs_write', { h: 1 }, { offset: 0, data_b64: 7 }],
      ['t_fs_open', { node: 1 }, { mode: 'rwx' }],
    ] as const)
      t.match(
        await hostile.ask(type, root, payload),
        { type: 'acheron.err_fs', error: { errno: /^(22|9)$/ } },
        `${type} ${JSON.stringify(payload)}`,
      );
    t.match(await hostile.ask('t_fs_lookup', { node: 1 }, { name: '__proto__' }), { error: { errno: 2 } });
    t.match(await hostile.ask('t_fs_lookup', { node: 1 }, { path: '../../../etc/passwd' }), {
      error: { errno: 2 },
    });
    hostile.send(
      '{"channel":"acheron","type":"acheron.t_fs_lookup","tag":1,"node":1,"payload":{"name":"docs","__proto__":{"path":"x"},"constructor":{"prototype":{"polluted":1}}}}',
    );
    t.match(await hostile.next(({ tag }) => tag === 1), { payload: { name: 'docs' } });
    t.notOk('polluted' in {});
    t.ok(await serves(url));
  },
);

t.test('base64 that is none is refused, and nothing of it is written', async (t) => {
  const { url } = await servedOnWs(t, createReferenceTree());
  const hostile = await RawClient.afterHello(url);
  t.teardown(() => hostile.close());
  const work = (await hostile.ask('t_fs_lookup', { node: 1 }, { name: 'work' })).payload['node'];
  const made = await hostile.ask('t_fs_create', { node: work }, { name: 'f', mode: 'rw' });
  const h = made.payload['handle'];
  for (const text of ['a', 'ab', 'ab=c', '!!!!', 'YWJj\n', 'YW-_', 'YWJj====', '====']) {
    const answer = await hostile.ask('t_fs_write', { h }, { offset: 0, data_b64: text });
    t.match(answer, { error: { errno: 22 } }, JSON.stringify(text));
  }
  t.match(await hostile.ask('t_fs_getattr', { h }), { payload: { size: 0 } });
});

t.test(
  'whatever is asked in whatever order, each request is answered once and the server lives',
  async (t) => {
    const { url } = await servedOnWs(t, createReferenceTree());
    const types = Object.keys(FS_MESSAGES).filter((name) => name !== 'hello');
    const small = fc.oneof(fc.integer({ min: -2, max: 40 }), fc.constantFrom('docs', 'work', 'f', 'rw', '0'));
    const request = fc.record({
      type: fc.constantFrom(...types),
      node: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
      h: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
      payload: fc.dictionary(
        fc.constantFrom(
          ...['name', 'path', 'offset', 'count', 'data_b64', 'mode', 'flags', 'to_node', 'to_name', 'size'],
          ...['target', 'mask', 'cookie', 'oldtag', 'nodes', 'inline', '__proto__', 'value_b64', 'length'],
        ),
        fc.oneof(small, fc.jsonValue({ maxDepth: 1 })),
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 12 }), async (requests) => {
        const client = await RawClient.afterHello(url);
        const answers = await Promise.all(
          requests.map(({ type, node, h, payload }) => client.ask(`t_fs_${type}`, { node, h }, payload)),
        );
        client.close();
        return answers.every(({ ok }) => typeof ok === 'boolean');
      }),
      { numRuns: 60 },
    );
    t.ok(await serves(url));
  },
);

t.test('a peer that asks for much and reads nothing slows nobody and does not fill our memory', async (t) => {
  const { url, connections } = await servedOnWs(t, createReferenceTree());
  const greedy = await RawClient.afterHello(url);
  t.teardown(() => greedy.close());
  const large = await greedy.ask('t_fs_lookup', { node: 1 }, { path: 'docs/large.bin' });
  const opened = await greedy.ask('t_fs_open', { node: large.payload['node'] }, { mode: 'r' });
  greedy.socket.pause();
  const before = process.memoryUsage().arrayBuffers;
  for (let tag = 1000; tag < 2500; tag++)
    greedy.send({
      channel: 'acheron',
      type: 'acheron.t_fs_read',
      tag,
      h: opened.payload['handle'],
      payload: { offset: 0, count: 640_000 },
    });
  for (let i = 0; i < 5; i++) t.ok(await serves(url));
  t.ok(process.memoryUsage().arrayBuffers - before < 200 * 1024 * 1024);
  t.equal(connections.length, 6);
});
