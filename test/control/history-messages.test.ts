import t from 'tap';
import { faultOf, type ControlClient } from '../../lib/control/index.js';
import type { JsonObject } from '../../lib/core/index.js';
import type { ControlReply, ControlRequest } from '../../lib/protocol/index.js';
import { descriptor, FACTS } from '../support/store.js';
import { planeFor } from '../support/plane.js';

const refused = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => 'done',
    (error: unknown) => faultOf(error)?.code,
  );

type Change = ControlReply<'history_list'>['changes'][number];
const HIDDEN = { permissions: { allow_roles: ['admin'] } };
const version = (id: string, n: number, more: JsonObject = {}): JsonObject =>
  descriptor(id, { version: String(n), help_md: `${id} ${n}`, ...more });

/** All pages, one after the other. */
async function listAll(client: ControlClient, asked: ControlRequest<'history_list'> = {}): Promise<Change[]> {
  const changes: Change[] = [];
  for (let after: string | undefined; ;) {
    const page = await client.request('history_list', {
      ...asked,
      limit: 2,
      ...(after === undefined ? {} : { after }),
    });
    if (page.changes.length > 2) throw new Error('a page is too long');
    changes.push(...page.changes);
    if (page.next === undefined) return changes;
    after = page.next;
  }
}

const inShort = (changes: readonly Change[]): string[] =>
  changes.map(
    ({ node_id, service_id, change, version }) => `${node_id}/${service_id} ${change} ${version ?? '-'}`,
  );

const REPORT: ControlRequest<'node_reload_report'>['report'] = {
  report_id: 'r-1',
  timestamp_ms: 5,
  reason: 'change',
  files: [
    {
      path: '/etc/a.json',
      digest: 'ab',
      outcome: 'last-good',
      services: ['a'],
      version: '1',
      previous_version: '1',
      fields: [],
      still_runs: { service_id: 'a', version: '1', digest: 'cd' },
      faults: [
        {
          ...{
            line: 3,
            column: 4,
            pointer: '/kind',
            message: 'It is wrong.',
            expected: 'a word',
            got: '7',
            hint: '',
          },
          ...{ source: '  "kind": 7', caret: '          ^' },
        },
      ],
      warnings: [],
    },
  ],
  more: 0,
  folders: [],
};

t.test(
  'changes of all services are listed newest first, in pages, and each can be had with its diff',
  async (t) => {
    const under = await planeFor(t);
    const { nodes } = under.plane.store;
    for (const nodeName of ['n1', 'n2']) nodes.join({ ...FACTS, nodeName }, 60_000);
    nodes.upsert('n1', [version('a', 1), version('b', 1, HIDDEN)]);
    nodes.upsert('n2', [version('c', 1)]);
    nodes.upsert('n1', [version('a', 2, HIDDEN), version('b', 1, HIDDEN)]);
    nodes.upsert('n1', [version('a', 3), version('b', 2, HIDDEN)]);
    nodes.upsert('n2', [version('d', 1)]);
    const admin = await under.admin();
    t.same(inShort(await listAll(admin)), [
      'n2/d added 1',
      'n2/c removed -',
      'n1/b updated 2',
      'n1/a updated 3',
      'n1/a updated 2',
      'n2/c added 1',
      'n1/b added 1',
      'n1/a added 1',
    ]);
    t.same(inShort(await listAll(admin, { node_id: 'n1', service_id: 'b' })), [
      'n1/b updated 2',
      'n1/b added 1',
    ]);
    t.same(inShort(await listAll(admin, { node_id: 'n2' })), [
      'n2/d added 1',
      'n2/c removed -',
      'n2/c added 1',
    ]);
    const [newest] = await listAll(admin, { node_id: 'n1', service_id: 'a' });
    const got = await admin.request('history_get', { node_id: 'n1', service_id: 'a', n: newest!.revision! });
    t.match(got, {
      change: newest!,
      descriptor: { help_md: 'a 3' },
      diff: '-  "help_md": "a 2"\n+  "help_md": "a 3"',
    });
    t.same(await admin.request('history_get', { node_id: 'n1', service_id: 'a' }), got);
    t.same(await admin.request('history_get', { node_id: 'n1', service_id: 'a', hash: newest!.hash! }), got);
    t.match(await admin.request('history_get', { node_id: 'n2', service_id: 'c' }), {
      change: { change: 'removed' },
      descriptor: null,
    });

    const user = await under.user();
    const seen = await listAll(user);
    t.same(inShort(seen), [
      'n2/d added 1',
      'n2/c removed -',
      'n1/a updated 3',
      'n2/c added 1',
      'n1/a added 1',
    ]);
    t.same(
      seen.map(({ seq }) => seq),
      [1, 2, 2, 1, 1],
    );
    t.notMatch(JSON.stringify(seen), /revision|source/);
    t.match(await user.request('history_get', { node_id: 'n1', service_id: 'a' }), {
      change: { seq: 2, fields: ['/version', '/help_md'], previous_version: '1' },
      diff: '-  "help_md": "a 1"\n+  "help_md": "a 3"',
    });
    const hidden = (await listAll(admin)).find(
      ({ version, service_id }) => service_id === 'a' && version === '2',
    )!;
    for (const asked of [
      { node_id: 'n1', service_id: 'a', n: 3 },
      { node_id: 'n1', service_id: 'a', hash: hidden.hash! },
      { node_id: 'n1', service_id: 'b' },
      { node_id: 'n3', service_id: 'a' },
    ])
      t.equal(await refused(user.request('history_get', asked)), 'not_found', JSON.stringify(asked));
    t.same(await listAll(user, { node_id: 'n1', service_id: 'b' }), []);
    nodes.upsert('n1', [version('a', 4, HIDDEN)]);
    t.same(
      inShort(await listAll(user)),
      ['n2/d added 1', 'n2/c removed -', 'n2/c added 1'],
      'a service that is hidden now never was',
    );
    t.equal(await refused(user.request('history_list', { after: 'made-up' })), 'invalid_payload');
  },
);

t.test('a cursor says nothing: it is as long for a change that is hidden as for any other', async (t) => {
  const under = await planeFor(t);
  const { nodes } = under.plane.store;
  nodes.join({ ...FACTS, nodeName: 'n1' }, 60_000);
  nodes.upsert('n1', [version('a', 1), version('b', 1)]);
  nodes.upsert('n1', [version('a', 1), version('b', 2), version('x'.repeat(100), 1, HIDDEN)]);
  const user = await under.user();
  const lengths = new Set<number>();
  for (let after: string | undefined; ;) {
    const page = await user.request('history_list', { limit: 1, ...(after === undefined ? {} : { after }) });
    if (page.next === undefined) break;
    lengths.add(page.next.length);
    after = page.next;
  }
  t.equal(lengths.size, 1);
});

t.test(
  'reports on reloads are for admins: each is kept once, the newest 64 of a node, with an event',
  async (t) => {
    const under = await planeFor(t);
    const { store } = under.plane;
    const { nodeId, nodeSecret } = store.nodes.join({ ...FACTS, nodeName: 'n1' }, 60_000);
    const [admin, user] = [await under.admin(), await under.user()];
    const send = (report: JsonObject): Promise<{ accepted: boolean }> =>
      user.request('node_reload_report', {
        node_id: nodeId,
        node_secret: nodeSecret,
        report: report as never,
      });
    t.same(await send(REPORT), { accepted: true });
    t.same(await send(REPORT), { accepted: false }, 'a report that is sent again');
    const { report_id: _id, ...said } = REPORT;
    t.same(await admin.request('reload_get', { node_id: 'n1' }), { node_id: 'n1', n: 1, ...said });
    t.match(store.events.recent(1), [
      { kind: 'node_reload_report', payload: { n: 1, outcomes: { 'last-good': 1 }, faults: 1 } },
    ]);
    t.match((await admin.request('reload_list', {})).reloads, [
      { node_id: 'n1', n: 1, outcomes: { 'last-good': 1 }, faults: 1, services: ['a'] },
    ]);
    for (let n = 2; n <= 70; n++) await send({ ...REPORT, report_id: `r-${n}` });
    const listed: number[] = [];
    for (let after: string | undefined; ;) {
      const page = await admin.request('reload_list', {
        node_id: 'n1',
        limit: 50,
        ...(after === undefined ? {} : { after }),
      });
      listed.push(...page.reloads.map(({ n }) => n));
      if (page.next === undefined) break;
      after = page.next;
    }
    t.same(
      listed,
      Array.from({ length: 64 }, (_, at) => 70 - at),
    );
    t.equal(await refused(admin.request('reload_get', { node_id: 'n1', n: 1 })), 'not_found');
    t.equal(await refused(user.request('reload_list', {})), 'forbidden');
    t.equal(await refused(user.request('reload_get', { node_id: 'n1' })), 'forbidden');
    await admin.request('node_delete', { node_id: 'n1' });
    t.same(await admin.request('reload_list', {}), { reloads: [] });
    t.equal(store.reloads.bytes, 0);
  },
);

t.test('a hostile node neither fills the store nor takes anything from others by its reports', async (t) => {
  const under = await planeFor(t);
  const { store } = under.plane;
  const good = store.nodes.join({ ...FACTS, nodeName: 'good' }, 60_000);
  const bad = store.nodes.join({ ...FACTS, nodeName: 'bad' }, 60_000);
  const user = await under.user();
  const send = (who: typeof good, report: JsonObject): Promise<unknown> =>
    user.request('node_reload_report', {
      node_id: who.nodeId,
      node_secret: who.nodeSecret,
      report: report as never,
    });
  await send(good, REPORT);
  const [file] = REPORT.files;
  const long = { ...file!, path: 'x'.repeat(4000) };
  const more: JsonObject[] = [
    { ...REPORT, files: Array.from({ length: 1001 }, () => file!) },
    { ...REPORT, files: [{ ...file!, path: 'x'.repeat(5000) }] },
    { ...REPORT, files: [{ ...file!, outcome: 'exploded' }] },
    { ...REPORT, report_id: '../../x' },
    { ...REPORT, more: -1 },
  ];
  for (const report of more) t.equal(await refused(send(bad, report)), 'invalid_payload');
  t.equal(
    await refused(send(bad, { ...REPORT, files: Array.from({ length: 100 }, () => long) })),
    'frame_too_large',
  );
  t.equal(await refused(send({ ...bad, nodeId: 'good' }, REPORT as never)), 'provider_auth_failed');
  t.equal(store.reloads.get('bad'), undefined);
  const large = { ...REPORT, files: Array.from({ length: 50 }, () => long) };
  for (let n = 0; n < 70; n++) await send(bad, { ...large, report_id: `r-${n}` });
  t.equal(store.reloads.numbers('bad').length, 64);
  t.match(store.reloads.get('good'), { n: 1 });
});
