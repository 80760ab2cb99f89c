import t from 'tap';
import { TestNode, errnoOf, shellManifest } from '../support/test-node.js';

const python = (script: string) => shellManifest('deep', `exec python3 -c '${script}'`);
const call = (node: TestNode): Promise<string | null> =>
  errnoOf(() => node.write(node.path('deep', 'control/invoke.json'), '{"_key":"k"}'));

t.test('output that is nested too deeply ends the job with a reason', async (t) => {
  const node = await TestNode.start(t, [python('n = 100000; print("[" * n + "]" * n)')]);
  t.equal(await call(node), 'EIO');
  t.match(await node.read(node.path('deep', 'last_error.txt')), /more than 512 levels of nesting/);
  t.match(await node.json(node.path('deep', 'status.json')), { state: 'error', errno: 'EIO' });
  t.match(await node.json(node.path('deep', 'metrics.json')), { running: 0, failures_total: 1 });
  t.equal(await call(node), 'EIO', 'the key has that outcome');
});

t.test('a result does not grow out of proportion by being indented', async (t) => {
  const script = 'n = 500; print("[" * n + ",".join("1" * 1 for _ in range(20000)) + "]" * n)';
  const node = await TestNode.start(t, [python(script)]);
  t.equal(await call(node), null);
  const text = await node.read(node.path('deep', 'result.json'));
  t.ok(text.length < 400_000, `${text.length} bytes`);
  t.equal((JSON.parse(text) as unknown[]).flat(Infinity).length, 20_000);
});

t.test('a byte order mark of the output is not in the result', async (t) => {
  const node = await TestNode.start(t, [shellManifest('deep', `printf '\\357\\273\\277{"a":1}'`)]);
  t.equal(await call(node), null);
  t.equal(await node.read(node.path('deep', 'result.json')), '{\n  "a": 1\n}\n');
});
