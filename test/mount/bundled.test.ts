import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { Up } from '../support/acheron.js';
import { errnoOf } from '../support/test-node.js';

/** Of each bundled service: a request and what the answer has; one that fails, how, and what is said of it. */
const CALLS: Readonly<
  Record<string, { ask: JsonObject; answer: object; wrong: JsonObject; errno: string; says: RegExp }>
> = {
  calendar: {
    ask: { when: '2026-01-02 03:04 UTC', format: '+%F' },
    answer: { text: '2026-01-02\n' },
    wrong: { when: 'no day that there is', format: '+%F' },
    errno: 'EIO',
    says: /invalid date/,
  },
  countdown: {
    ask: { seconds: 0.05, message: 'Tea is ready.' },
    answer: { message: 'Tea is ready.', waited_ms: Number },
    wrong: {},
    errno: 'EINVAL',
    says: /expected a property "seconds", or a property "until"/,
  },
  'csv-summary': {
    ask: { csv: 'city,population\nOslo,717710\nBergen,291940\n' },
    answer: { rows: 2, columns: [{ name: 'city' }, { name: 'population', min: 291940, max: 717710 }] },
    wrong: { csv: 5 },
    errno: 'EINVAL',
    says: /at "\/csv" expected a string/,
  },
  'disk-usage': {
    ask: { path: '/etc' },
    answer: { path: '/etc', bytes: Number, largest: [{ name: String }] },
    wrong: { path: '/nowhere' },
    errno: 'EIO',
    says: /\/nowhere is not a directory/,
  },
  echo: {
    ask: { message: 'hello' },
    answer: { ok: true, echo: { message: 'hello' }, call: { service_id: 'echo', role: 'admin' } },
    wrong: [] as unknown as JsonObject,
    errno: 'EINVAL',
    says: /not an object at line 1, column 1/,
  },
  'json-diff': {
    ask: { from: { ports: [80] }, to: { ports: [80, 443] } },
    answer: { equal: false, patch: [{ op: 'add', path: '/ports/1', value: 443 }] },
    wrong: { from: 1 },
    errno: 'EINVAL',
    says: /expected a property "to"/,
  },
  locks: {
    ask: { acquire: 'deploy', ttl_seconds: 60 },
    answer: { acquired: true, name: 'deploy', token: String },
    wrong: { acquire: '' },
    errno: 'EINVAL',
    says: /at "\/acquire"/,
  },
  'system-info': {
    ask: { facts: ['cpu'] },
    answer: { cpu: { cores: Number } },
    wrong: { facts: ['colour'] },
    errno: 'EINVAL',
    says: /at "\/facts\/0" expected one of "os"/,
  },
  'text-stats': {
    ask: { text: 'one two\n' },
    answer: { lines: 1, words: 2, characters: 8, bytes: 8, longest_line: 7 },
    wrong: { text: 5 },
    errno: 'EINVAL',
    says: /at "\/text" expected a string/,
  },
};

t.test('every bundled service can be called as its files say, and says what went wrong', async (t) => {
  const services = join((await Up.start(t, { bundled: true })).dir, 'nodes/local/services');
  const path = (id: string, file: string): string => join(services, id, file);
  const text = (id: string, file: string): string => readFileSync(path(id, file), 'utf8');
  const json = (id: string, file: string): JsonObject => JSON.parse(text(id, file)) as JsonObject;
  const invoke = (id: string, request: string): void =>
    writeFileSync(path(id, 'control/invoke.json'), request);
  const isResult = (id: string): boolean => {
    const ajv = new Ajv2020({ strict: false });
    formats.default(ajv);
    return ajv.validate(json(id, 'SCHEMA.json').output as object, json(id, 'result.json'));
  };
  const callable = readdirSync(services).filter(
    (id) => id !== 'SERVICES.json' && readdirSync(join(services, id)).includes('control'),
  );
  t.same(callable.sort(), Object.keys(CALLS).sort(), 'the table has them all');

  for (const [id, { ask, answer, wrong, errno, says }] of Object.entries(CALLS)) {
    invoke(id, text(id, 'TEMPLATE.json'));
    t.ok(isResult(id), `${id}: the template is answered as the schema promises`);
    invoke(id, JSON.stringify(ask));
    const result = json(id, 'result.json');
    t.match(result, answer, id);
    t.ok(isResult(id), `${id}: and so is another request`);
    t.equal(text(id, 'last_error.txt'), '');

    t.equal(await errnoOf(() => invoke(id, JSON.stringify(wrong))), errno, `${id}: ${JSON.stringify(wrong)}`);
    t.match(text(id, 'last_error.txt'), says);
    t.match(json(id, 'status.json'), { state: 'error', errno });
    t.same(json(id, 'result.json'), result, `${id}: a failure leaves the last result alone`);
    t.match(json(id, 'health.json'), { state: 'online', enabled: true });
  }
});

t.test('the handbook is only files', async (t) => {
  const up = await Up.start(t, { bundled: true });
  const dir = join(up.dir, 'nodes/local/services/handbook');
  t.notOk(readdirSync(dir).includes('control'));
  t.ok(readFileSync(join(dir, 'README.md'), 'utf8').length > 500);
});
