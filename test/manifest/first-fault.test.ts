import { execFileSync } from 'node:child_process';
import t from 'tap';

const MANIFEST_ROOM = new URL('../../lib/manifest/index.js', import.meta.url).href;

// In a process of its own, which has not loaded ajv: that takes longer than a check may hold the thread.
const PROGRAM = `
  const { builtinDefinition, requestCheckOf } = await import(${JSON.stringify(MANIFEST_ROOM)});
  const schema = { input: { type: 'object', properties: { a: { type: 'string', pattern: '^x*$' }, b: { enum: [1, 2] } } } };
  const check = requestCheckOf(builtinDefinition({ service_id: 's', kind: 'test', schema }, { nodeId: 'n1', name: 's', limits: {} }));
  const faultsOf = (input) => check(Buffer.from(JSON.stringify(input)), input);
  const long = 'x'.repeat(4000);
  const found = [{ a: long }, { a: long + 'y' }, { a: long, b: 3 }, { a: 5, b: 3 }, { a: long, b: 2 }].map(faultsOf);
  console.log(JSON.stringify(await Promise.all(found)));
`;

t.test(
  'the first faulty request of a process is answered with its faults, and so is each after it',
  async (t) => {
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      encoding: 'utf8',
    });
    t.match(JSON.parse(printed), [
      null,
      [{ pointer: '/a' }],
      [{ pointer: '/b', got: '3' }],
      [{ pointer: '/a' }, { pointer: '/b' }],
      null,
    ]);
  },
);
