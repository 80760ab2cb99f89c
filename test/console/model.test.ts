import t from 'tap';
import { consoleModule } from '../support/console-module.js';

interface Piece {
  readonly text: string;
  readonly look: readonly string[];
}

t.test('of what a terminal would obey, colours and bold are kept, and nothing else', async (t) => {
  const { piecesOf } = await consoleModule<{ piecesOf: (output: string) => Piece[] }>('model/ansi.ts');
  const textOf = (output: string): string =>
    piecesOf(output)
      .map(({ text }) => text)
      .join('');
  t.same(piecesOf('a\x1b[1;31mb\x1b[22mc\x1b[0md'), [
    { text: 'a', look: [] },
    { text: 'b', look: ['ansi-red', 'ansi-bold'] },
    { text: 'c', look: ['ansi-red'] },
    { text: 'd', look: [] },
  ]);
  t.equal(textOf('\x1b]0;title\x07x\x1b]8;;http://evil\x1b\\y\x1b]8;;\x1b\\z'), 'xyz', 'titles and links');
  t.equal(textOf('\x1b[2J\x1b[10;10Hx\x1b[6n\x1bcy\x1bP1;2|q\x1b\\z'), 'xyz', 'moves, questions, resets');
  t.equal(textOf('a\r\nb\rc\x00\x08\x9bd\t\n'), 'a\nbcd\t\n', 'controls');
  t.equal(textOf('<b>&amp;</b>'), '<b>&amp;</b>');
});

t.test('a request is looked at as the node will look', async (t) => {
  interface Looked {
    readonly value: unknown;
    readonly faults: readonly { readonly at: string; readonly message: string }[];
  }
  const { looksAt } = await consoleModule<{ looksAt: (text: string, schema: unknown) => Looked }>(
    'model/request-faults.ts',
  );
  const schema = {
    type: 'object',
    required: ['text'],
    properties: { text: { type: 'string' }, deep: { type: 'object', properties: { n: { minimum: 1 } } } },
    additionalProperties: false,
  };
  const at = (request: unknown): string[] =>
    looksAt(JSON.stringify(request), schema).faults.map((fault) => fault.at);
  t.same(at({ text: 'a', _key: 'k-1' }), [], 'the key is no part of what the schema is for');
  t.same(at({ text: 'a', _key: 'no spaces' }), ['/_key']);
  t.ok(at({ text: 1 }).includes('/text'));
  t.ok(at({ text: 'a', deep: { n: 0 } }).includes('/deep/n'));
  t.ok(at({}).length > 0);
  t.match(looksAt('{"text": }', schema).faults, [{ at: '', message: /not JSON/ }]);
  t.match(looksAt('[1]', schema).faults, [{ at: '', message: /object/ }]);
  t.same(looksAt('{"a": 1}', { pattern: '(?<bad' }).faults, [], 'the node decides what this cannot read');
});

t.test('a call is written for a shell, Python and Node so that no text of it ends early', async (t) => {
  const { snippetsOf } = await consoleModule<{
    snippetsOf: (nodeId: string, serviceId: string, request: string) => [string, string][];
  }>('model/snippets.ts');
  const hostile = `{"a": "it's \\"$(reboot)\\" \`x\`"}`;
  const [shell, python, node] = snippetsOf('n1', 'echo', hostile).map(([, text]) => text);
  t.match(shell, `acheron invoke n1/echo '{"a":"it'\\''s \\"$(reboot)\\" \`x\`"}'`);
  const compact = JSON.stringify(JSON.stringify(JSON.parse(hostile)));
  t.ok(python!.includes(`os.write(fd, ${compact}.encode())`));
  t.ok(node!.includes(`call.write(${compact})`));
  t.match(snippetsOf('n1', 'echo', '{oops')[0]?.[1], "'{oops'");
});

t.test('the schema of a place is found through references and alternatives, however they turn', async (t) => {
  interface Walk {
    partsAt: (schema: unknown, path: readonly (string | number)[]) => readonly object[];
    namesOf: (parts: readonly object[]) => readonly { name: string; isRequired: boolean }[];
    valuesOf: (parts: readonly object[]) => readonly unknown[];
  }
  const { partsAt, namesOf, valuesOf } = await consoleModule<Walk>('model/schema-walk.ts');
  const schema = {
    $defs: {
      tree: { properties: { name: { enum: ['a', 'b'] }, below: { items: { $ref: '#/$defs/tree' } } } },
    },
    properties: { mode: { const: 'x' }, flag: { type: 'boolean' } },
    required: ['flag'],
    anyOf: [{ $ref: '#/$defs/tree' }, { $ref: '#' }, { $ref: 'https://elsewhere.example/' }],
    additionalProperties: { type: ['string', 'null'] },
  };
  const names = (path: (string | number)[]): string[] =>
    namesOf(partsAt(schema, path)).map(({ name }) => name);
  t.same(names([]), ['flag', 'mode', 'name', 'below'], 'required ones first');
  t.same(names(['below', 3, 'below', 0]), ['name', 'below']);
  t.same(valuesOf(partsAt(schema, ['below', 0, 'name'])), ['a', 'b']);
  t.same(valuesOf(partsAt(schema, ['flag'])), [true, false]);
  t.same(valuesOf(partsAt(schema, ['mode'])), ['x']);
  t.same(valuesOf(partsAt(schema, ['other'])), [null]);
  t.same(names(['__proto__', 'constructor']), []);
  t.same(names(['flag', 'toString', 0]), []);
});

t.test(
  'words, fields, labels and states find services, and nodes are shown with what was found',
  async (t) => {
    interface Row {
      readonly kind: string;
      readonly service?: { readonly service_id: string };
      readonly shown?: number;
    }
    const { rowsOf } = await consoleModule<{
      rowsOf: (
        view: object,
        filter: { words: string; state: string },
        before?: object,
      ) => { rows: Row[]; services: number };
    }>('model/filter.ts');
    const service = (node_id: string, service_id: string, more: object = {}): object => ({
      ...{ node_id, service_id, kind: 'text', state: 'online', has_invoke: true, summary: 'Does it.' },
      ...more,
    });
    const view = {
      nodes: [
        {
          facts: { node_id: 'Lab', labels: { room: 'north' } },
          services: [
            service('Lab', 'echo'),
            service('Lab', 'sort', { state: 'offline', labels: { tier: 'Gold' } }),
          ],
        },
        { facts: { node_id: 'empty', labels: {} }, services: [] },
      ],
    };
    const found = (words: string, state = ''): string[] =>
      rowsOf(view, { words, state }).rows.map(
        ({ service: one, shown }) => one?.service_id ?? `node ${shown}`,
      );
    t.same(found(''), ['node 2', 'echo', 'sort', 'node 0']);
    t.same(found('ECHO does'), ['node 1', 'echo']);
    t.same(found('label:tier=gold'), ['node 1', 'sort']);
    t.same(found('label:room=n kind:te node:lab'), ['node 2', 'echo', 'sort']);
    t.same(found('state:off'), ['node 1', 'sort']);
    t.same(found('', 'offline'), ['node 1', 'sort']);
    t.same(found('kind:'), ['node 2', 'echo', 'sort']);
    t.same(found('other:thing'), []);
    const typed = ['e', 'ec', 'ech', 'ec', 's', 'st', 'sta', 'stat', 'state', 'state:', 'state:on', ''];
    let before: ReturnType<typeof rowsOf> | undefined;
    for (const words of typed) {
      before = rowsOf(view, { words, state: '' }, before);
      t.same(
        before.rows,
        rowsOf(view, { words, state: '' }).rows,
        `"${words}" finds the same, however it was typed`,
      );
    }
  },
);

t.test('samples are bounded, keep the past, and say what was called in the last minute', async (t) => {
  interface Sample {
    readonly atMs: number;
    readonly calls: number;
    readonly failures: number;
  }
  const { withSample, perMinute, MAX_SAMPLES } = await consoleModule<{
    withSample: (samples: readonly Sample[], sample: Sample) => readonly Sample[];
    perMinute: (samples: readonly Sample[], of: 'calls' | 'failures') => (number | null)[];
    MAX_SAMPLES: number;
  }>('model/samples.ts');
  let samples: readonly Sample[] = [];
  for (let second = 0; second < 10 * MAX_SAMPLES; second++)
    samples = withSample(samples, { atMs: second * 1000, calls: second, failures: 0 });
  t.ok(samples.length <= MAX_SAMPLES);
  t.ok(samples[0]!.atMs < 10_000, 'the beginning is still there');
  t.ok(samples.every(({ atMs }, at) => at === 0 || atMs > samples[at - 1]!.atMs));
  t.ok(
    perMinute(samples, 'calls')
      .slice(1)
      .every((rate) => Math.abs(rate! - 60) <= 2),
  );

  const burst = [0, 1100, 1200, 1300].reduce<readonly Sample[]>(
    (all, atMs) => withSample(all, { atMs, calls: atMs, failures: 0 }),
    [],
  );
  t.same(
    burst.map(({ atMs }) => atMs),
    [0, 1100, 1300],
    'a burst is one point',
  );
  const at = (...points: [number, number][]): (number | null)[] =>
    perMinute(
      points.map(([atMs, calls]) => ({ atMs, calls, failures: 0 })),
      'calls',
    );
  t.same(at([0, 5], [1000, 8], [59_000, 8], [62_000, 8], [200_000, 8]), [null, 3, 3, 0, 0]);
  t.same(at([0, 5], [1000, 0]), [null, null], 'it began anew');
});

t.test('the audit log is followed and filtered', async (t) => {
  interface Record {
    readonly audit_id: number;
    readonly act: string;
    readonly outcome: string;
  }
  const { withRecords, recordsMatching } = await consoleModule<{
    withRecords: (known: readonly Record[], fresh: readonly Record[], most: number) => readonly Record[];
    recordsMatching: (
      records: readonly Record[],
      filter: { words: string; act: string; outcome: string },
    ) => readonly Record[];
  }>('model/audit-records.ts');
  const record = (audit_id: number, act: string, outcome = 'ok'): Record => ({ audit_id, act, outcome });
  const known = withRecords([], [record(1, 'invoke'), record(2, 'token_create')], 3);
  t.same(
    known.map(({ audit_id }) => audit_id),
    [2, 1],
  );
  const more = withRecords(
    known,
    [record(2, 'token_create'), record(3, 'invoke', 'denied'), record(4, 'x')],
    3,
  );
  t.same(
    more.map(({ audit_id }) => audit_id),
    [4, 3, 2],
    'each once, the newest first, and no more',
  );
  t.equal(withRecords(more, [], 3), more);
  const ids = (words: string, act = '', outcome = ''): number[] =>
    recordsMatching(more, { words, act, outcome }).map(({ audit_id }) => audit_id);
  t.same(ids(''), [4, 3, 2]);
  t.same(ids('TOKEN'), [2]);
  t.same(ids('', 'invoke', 'denied'), [3]);
  t.same(ids('invoke', '', 'ok'), []);
});

t.test('what happened to a service is found among all events', async (t) => {
  interface HealthEvent {
    readonly revision: number;
    readonly what: string;
    readonly why: string;
  }
  const { healthEventsIn, withHealthEvents, MAX_HEALTH_EVENTS } = await consoleModule<{
    healthEventsIn: (text: string, nodeId: string, serviceId: string) => readonly HealthEvent[];
    withHealthEvents: (shown: readonly HealthEvent[], more: readonly HealthEvent[]) => readonly HealthEvent[];
    MAX_HEALTH_EVENTS: number;
  }>('model/health-events.ts');
  const line = (revision: number, facts: object): string =>
    `${JSON.stringify({ at: '2026-01-01T00:00:00.000Z', revision, node_id: 'n', service_id: 's', ...facts })}\n`;
  const text = [
    line(1, { type: 'service_health', from: 'online', to: 'degraded', reason: 'slow' }),
    line(2, { type: 'invocation_finished', state: 'ok' }),
    line(3, { type: 'service_health', node_id: 'other', from: 'a', to: 'b' }),
    line(4, { type: 'service_health', service_id: 'ss', from: 'a', to: 'b' }),
    line(5, { type: 'service_control', op: 'restart', by: { role: 'user', agent_id: 'ada' } }),
    line(6, { type: 'service_updated', version: '2' }),
  ].join('');
  const found = healthEventsIn(text, 'n', 's');
  t.match(found, [
    { revision: 5, what: 'restart', why: 'by user ada' },
    { revision: 1, what: 'online → degraded', why: 'slow' },
  ]);
  t.equal(found.length, 2);
  const many = Array.from({ length: 2 * MAX_HEALTH_EVENTS }, (_, at) => ({ ...found[0]!, revision: at }));
  t.equal(withHealthEvents(found, many).length, MAX_HEALTH_EVENTS);
});

t.test('calls of the last minute are counted by service, and forgotten after it', async (t) => {
  interface Counts {
    add(key: string, isFailure: boolean, nowMs: number): void;
    at(nowMs: number): ReadonlyMap<string, { readonly perMinute: number; readonly failed: number }>;
  }
  const { CallCounts } = await consoleModule<{ CallCounts: new () => Counts }>('model/calls.ts');
  const counts = new CallCounts();
  for (let ms = 0; ms < 30_000; ms += 100) counts.add('n/s', ms % 1000 === 0, ms);
  counts.add('n/other', true, 30_000);
  t.same(
    [...counts.at(30_000)],
    [
      ['n/s', { perMinute: 300, failed: 30 }],
      ['n/other', { perMinute: 1, failed: 1 }],
    ],
  );
  t.same([...counts.at(70_000).keys()], ['n/s', 'n/other']);
  t.ok(counts.at(70_000).get('n/s')!.perMinute < 300, 'the oldest are gone');
  t.equal(counts.at(90_000).size, 0);
});
