import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { TestNode, errnoOf, shellManifest } from '../support/test-node.js';

const INPUT = {
  type: 'object',
  required: ['csv', 'mode'],
  additionalProperties: false,
  properties: {
    csv: { type: 'string' },
    mode: { enum: ['fast', 'slow'] },
    size: { anyOf: [{ type: 'integer' }, { type: 'object', required: ['unit'] }] },
    steps: { type: 'array', items: { type: 'integer' } },
    delimiter: { type: 'string', maxLength: 1 },
  },
};

t.test('all that is wrong with a request is said at once, and which name was meant', async (t) => {
  const node = await TestNode.start(t, [shellManifest('tool', 'cat', { schema: { input: INPUT } })]);
  const faultsOf = async (request: JsonObject): Promise<string> => {
    t.equal(
      await errnoOf(() => node.write(node.path('tool', 'control/invoke.json'), JSON.stringify(request))),
      'EINVAL',
    );
    return (await node.read(node.path('tool', 'last_error.txt'))).split('\n')[0]!;
  };
  t.equal(
    await faultsOf({ cvs: 'x', delimeter: ';', other: 1, steps: [1, 'two', 3.5] }),
    'EINVAL: The request does not fit the schema: at "" expected a property "csv", got none; ' +
      'at "" expected a property "mode", got none; ' +
      'at "" expected no property "cvs" (did you mean "csv"?), got an object; ' +
      'at "" expected no property "delimeter" (did you mean "delimiter"?), got an object; ' +
      'at "" expected no property "other", got an object; ' +
      'at "/steps/1" expected an integer, got "two"; at "/steps/2" expected an integer, got 3.5.',
  );
  t.equal(
    await faultsOf({ csv: 'x', mode: 'quick', size: 'big' }),
    'EINVAL: The request does not fit the schema: at "/mode" expected one of "fast", "slow", got "quick"; ' +
      'at "/size" expected an integer, or an object, got "big".',
    'alternatives are one fault',
  );
  t.match(
    await faultsOf({ csv: 'x', mode: 'fast', steps: Array.from({ length: 20 }, () => 'x') }),
    /\/steps\/7.*; and 12 more\.$/,
  );
});
