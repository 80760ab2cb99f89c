import t from 'tap';
import { inputValidatorOf } from '../../lib/manifest/index.js';
import { fsServiceDefinition, terminalServiceDefinition } from '../../lib/providers/index.js';

t.test('the fs service names its exports, and not where they lie', async (t) => {
  const definition = fsServiceDefinition('n1', [
    { name: 'b', readOnly: true },
    { name: 'a', readOnly: false },
  ]);
  t.match(definition, {
    serviceId: 'fs',
    kind: 'fs',
    runtime: { type: 'builtin', name: 'fs' },
    permissions: { allow_roles: ['admin', 'user'] },
    endpoints: ['/nodes/n1/fs'],
    mounts: [{ mountPath: '/nodes/n1/fs' }],
    capabilities: {
      invoke: false,
      write: true,
      exports: [
        { name: 'a', path: '/nodes/n1/fs/a', read_only: false },
        { name: 'b', path: '/nodes/n1/fs/b', read_only: true },
      ],
    },
  });
  t.match(definition.helpMd, /`\/nodes\/n1\/fs\/b` \(read-only\)/);
  t.not(definition.digest, fsServiceDefinition('n1', []).digest);
  t.equal(fsServiceDefinition('n1', []).digest, fsServiceDefinition('n1', []).digest);
});

t.test('the terminal service says what it takes, with a template that passes', async (t) => {
  const definition = terminalServiceDefinition('n1', 'main', { timeoutMs: 1000 });
  t.match(definition, {
    serviceId: 'terminal-main',
    kind: 'terminal',
    mounts: [{ mountPath: '/nodes/n1/terminal/main' }],
    permissions: { allow_roles: ['admin', 'user'] },
    runtime: { type: 'builtin', limits: { timeoutMs: 1000 } },
  });
  const validate = inputValidatorOf(definition);
  t.equal(validate(definition.invokeTemplate), null);
  t.equal(validate({ argv: ['ls'], cwd: '/', max_output_bytes: 5 }), null);
  for (const input of [
    {},
    { command: '' },
    { command: 'a', argv: ['b'] },
    { argv: [] },
    { command: 'a', more: 1 },
  ])
    t.not(validate(input), null, JSON.stringify(input));
  t.throws(() => terminalServiceDefinition('n1', '../x'), { code: 'EINVAL' });
  const sources = ['one', 'two'].map((id) => terminalServiceDefinition('n1', id).source);
  t.equal(new Set(sources).size, 2, 'the terminals of a node differ');
});
