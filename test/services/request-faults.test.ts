import t, { type Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { TestNode, errnoOf, shellManifest } from '../support/test-node.js';

const SUPERVISION = JSON.stringify({ supervision: { max_consecutive_failures: 2, cooldown_ms: 600_000 } });

/** Prints how long the argument is that it gets from the request. */
const ARGS = shellManifest('args', '', {
  runtime: { args: ['-c', 'cat >/dev/null; echo "{\\"length\\":${#0}}"', '{payload.text}'] },
});
const MANY = shellManifest('many', '', {
  runtime: { args: ['-c', 'cat >/dev/null', ...Array.from({ length: 60 }, () => '{payload.text}')] },
});

type Wrong = readonly [what: string, errno: string, request: JsonObject];

/** Sends each of the wrong requests often enough for the breaker, were they the service's fault. */
async function staysWell(
  t: Test,
  node: TestNode,
  serviceId: string,
  wrong: readonly Wrong[],
): Promise<(request: JsonObject) => Promise<string | null>> {
  await node.write(node.path(serviceId, 'config.json'), SUPERVISION);
  const invoke = (request: JsonObject): Promise<string | null> =>
    errnoOf(() => node.write(node.path(serviceId, 'control/invoke.json'), JSON.stringify(request)));
  for (const [what, errno, request] of wrong) {
    for (let n = 0; n < 3; n++) t.equal(await invoke(request), errno, what);
    t.match(
      await node.read(node.path(serviceId, 'last_error.txt')),
      new RegExp(`^${errno}: .+`),
      'it says why',
    );
  }
  t.match(await node.json(node.path(serviceId, 'health.json')), { state: 'online' }, 'the service is well');
  return invoke;
}

t.test(
  'an argument that no command line holds is the fault of the request, and no driver runs',
  async (t) => {
    const node = await TestNode.start(t, [ARGS, MANY]);
    const invoke = await staysWell(t, node, 'args', [
      ['one argument of 128 KiB', 'E2BIG', { text: 'x'.repeat(131_072) }],
      ['the same in two-byte characters', 'E2BIG', { text: 'é'.repeat(65_536) }],
      ['no argument at all', 'EINVAL', {}],
      ['one that looks like an option', 'EINVAL', { text: '-rf' }],
    ]);
    t.equal(await invoke({ text: 'x'.repeat(131_071) }), null, 'the longest that there can be');
    t.same(await node.json(node.path('args', 'result.json')), { length: 131_071 });
    const many = await staysWell(t, node, 'many', [
      ['many that are too long together', 'E2BIG', { text: 'x'.repeat(131_000) }],
    ]);
    t.equal(await many({ text: 'x' }), null);
  },
);

t.test('a command line that is too long for a terminal is the fault of the request', async (t) => {
  const node = await TestNode.start(t, [], { terminals: ['t1'] });
  const invoke = await staysWell(t, node, 'terminal-t1', [
    ['a command', 'E2BIG', { command: `: ${'x'.repeat(131_072)}` }],
    ['an argument', 'E2BIG', { argv: ['true', 'x'.repeat(131_072)] }],
    ['no such directory', 'EINVAL', { command: 'true', cwd: '/nowhere/at/all' }],
  ]);
  t.equal(await invoke({ command: 'true' }), null);
});
