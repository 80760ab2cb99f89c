import t from 'tap';
import { TestNode, WRITE, errnoOf, shellManifest } from '../support/test-node.js';

t.test('a blank line is refused with a reason, until something has come', async (t) => {
  const node = await TestNode.start(t, [shellManifest('cat', 'cat')]);
  const path = node.path('cat', 'control/invoke.json');
  for (const blank of ['\n', '\r\n', ' \t\r', ' \n\n']) {
    const handle = await node.open(path, WRITE);
    const write = (text: string): Promise<string | null> =>
      errnoOf(async () => handle.write(0, Buffer.from(text), node.op()));
    t.equal(await write(blank), 'EINVAL', JSON.stringify(blank));
    t.equal(await write(blank), 'EINVAL', 'the same again');
    t.equal(await write('\n \n'), 'EINVAL', 'other blanks');
    t.match(await node.read(node.path('cat', 'last_error.txt')), /^EINVAL: The request is blank/);
    t.equal(await write(`${blank}{"now":1}${blank}`), null, 'and then an object in its place');
    await handle.release();
  }
  t.equal(await errnoOf(() => node.write(node.path('cat', 'config.json'), '\n')), 'EINVAL');
  t.match(await node.json(node.path('cat', 'metrics.json')), { invokes_total: 4, rejected_total: 8 });
});
