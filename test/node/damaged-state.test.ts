import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { TestNode, shellManifest } from '../support/test-node.js';

/** A node with a call and a config behind it, stopped; `start` starts it again. */
async function stoppedNode(t: Test): Promise<{ file: (end: string) => string; node: TestNode }> {
  const node = await TestNode.start(t, [shellManifest('s', 'cat')]);
  await node.write(node.path('s', 'control/invoke.json'), '{"_key":"k"}');
  await node.write(node.path('s', 'config.json'), '{"level":1111}');
  await node.node.close();
  return { node, file: (end) => join(node.dir, 'state', `node.json${end}`) };
}

t.test('a key of the audit log that is empty, short or all zeroes is not used', async (t) => {
  const { node, file } = await stoppedNode(t);
  const path = file('.audit.ndjson.key');
  const key = readFileSync(path);
  t.equal(key.length, 32);
  for (const bytes of [Buffer.alloc(0), key.subarray(0, 31), Buffer.alloc(32)]) {
    writeFileSync(path, bytes);
    await t.rejects(node.restart(), { code: 'EIO', message: /\.key is damaged/, hint: /move it away/ });
    t.ok(readFileSync(path).equals(bytes), 'it is left as it is');
  }
  writeFileSync(path, key);
  await node.restart();
});

t.test('a state of services in which one digit flipped is not taken for what was written', async (t) => {
  const { node, file } = await stoppedNode(t);
  const path = file('.runtime-services.json');
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace('1111', '1113'));
  await t.rejects(node.restart(), {
    code: 'EIO',
    message: /runtime-services\.json is damaged/,
    hint: /Restore it/,
  });
  truncateSync(path, 0);
  await t.rejects(node.restart(), { code: 'EIO', message: /runtime-services\.json is damaged/ });
  writeFileSync(path, text);
  await node.restart();
  t.same(await node.json(node.path('s', 'config.json')), { level: 1111 });
});

t.test('a state of services of format 1 is read, and kept as it was', async (t) => {
  const { node, file } = await stoppedNode(t);
  const path = file('.runtime-services.json');
  const { check: _check, ...content } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  const earlier = JSON.stringify({ ...content, format: 1 });
  writeFileSync(path, earlier);
  await node.restart();
  t.same(await node.json(node.path('s', 'config.json')), { level: 1111 });
  t.equal(readFileSync(`${path}.format1.bak`, 'utf8'), earlier);
  t.match(JSON.parse(readFileSync(path, 'utf8')), { format: 2 });
});

t.test('a last line of the audit log that is none does not keep the node from starting', async (t) => {
  const { node, file } = await stoppedNode(t);
  writeFileSync(file('.audit.ndjson'), 'no record at all\n', { flag: 'a' });
  await node.restart();
  t.ok(existsSync(file('.audit.ndjson')));
});

t.test('where a log of jobs is a directory, the start ends and says so', async (t) => {
  const { node, file } = await stoppedNode(t);
  const path = file('.jobs/s/00000009.log');
  rmSync(path, { force: true });
  mkdirSync(path);
  await t.rejects(node.restart(), {
    code: 'EIO',
    message: /job log cannot be read at .*00000009\.log/,
    hint: /move it away/,
  });
  rmSync(path, { recursive: true });
  await node.restart();
});
