import { join } from 'node:path';
import t from 'tap';
import {
  ControlClient,
  faultOf,
  NodeLink,
  type CatalogEvent,
  type ServiceDelta,
} from '../../lib/control/index.js';
import { silentLog, type JsonObject } from '../../lib/core/index.js';
import { planeFor, type PlaneUnderTest } from '../support/plane.js';
import { until } from '../support/until.js';
import { descriptor, temporaryDir } from '../support/store.js';

interface Teardown {
  teardown(callback: () => void): void;
}

type Offer = { services: JsonObject[]; reload?: JsonObject };

/** A node that offers what `offer` holds, and what the control plane said of each change. */
async function nodeFor(t: Teardown, under: PlaneUnderTest, offer: Offer) {
  const admin = await under.admin();
  const { invite_token: token } = await admin.request('node_invite_create', {});
  const errors: string[] = [];
  const link = new NodeLink({
    url: under.url,
    stateFile: join(temporaryDir(t), 'node.json'),
    nodeName: 'n1',
    platform: null,
    labels: {},
    pair: { mode: 'invite', token },
    snapshot: () => offer,
    log: { ...silentLog, error: (message) => void errors.push(message) },
  });
  t.teardown(() => link.close());
  const deltas: ServiceDelta[] = [];
  link.registered.on((delta) => deltas.push(delta));
  await link.start();
  return { admin, link, deltas, errors };
}

const named = (count: number, more: Record<string, unknown> = {}): JsonObject[] =>
  Array.from({ length: count }, (_, n) => descriptor(`s${String(n).padStart(5, '0')}`, more));

async function servicesOf(client: ControlClient): Promise<JsonObject[]> {
  const { services, index } = await client.requestAll('node_service_get', { node_id: 'n1' });
  if (index.length !== services.length) throw new Error('The index has other services.');
  return services;
}

const CATALOGS = {
  'few services that are large': named(8, { help_md: 'ü"\\\n'.repeat(60_000) }),
  'many services': named(600, { help_md: 'x'.repeat(3000) }),
  'thousands of tiny services': named(6000),
  'services of very many parts': named(2, { schema: { input: { enum: Array(60_000).fill(1) } } }),
};

for (const [what, services] of Object.entries(CATALOGS)) {
  t.test(`${what}, more than a frame holds, are registered and read as they are`, async (t) => {
    const under = await planeFor(t);
    const watcher = await under.admin();
    const events: CatalogEvent[] = [];
    watcher.watch({ onEvent: (event) => void events.push(event), onReset: () => undefined });
    const { admin, link, deltas } = await nodeFor(t, under, { services });
    await until(() => deltas.length === 1, 'the catalog');
    t.ok(deltas[0]!.changed);
    t.equal(deltas[0]!.added.length + (deltas[0]!.more ?? 0), services.length);
    t.same(await servicesOf(admin), services);
    const added = (): number =>
      events.reduce((sum, { service_delta: delta }) => sum + (delta?.added.length ?? 0), 0);
    await until(() => added() === services.length, 'the watcher to hear of all');
    t.ok(
      events.every((event) => JSON.stringify(event).length < 1024 * 1024),
      'no event is more than a frame',
    );
    link.changed();
    await until(() => deltas.length === 2, 'the same once more');
    t.notOk(deltas[1]!.changed, 'the same catalog changes nothing');
  });
}

t.test('how a node fares with thousands of manifests reaches the control plane too', async (t) => {
  const under = await planeFor(t);
  const files = Array.from({ length: 20_000 }, (_, n) => ({
    file: `/etc/acheron/services/service-${n}.json`,
  }));
  const { deltas } = await nodeFor(t, under, { services: named(1), reload: { files } });
  await until(() => deltas.length === 1, 'the catalog');
  t.same(under.plane.store.nodes.require('n1').reload, { files });
});

t.test('a catalog beyond all bounds is refused in a sentence, once, and the node lives on', async (t) => {
  const under = await planeFor(t);
  const offer: Offer = { services: named(10_001) };
  const { link, deltas, errors } = await nodeFor(t, under, offer);
  await until(() => errors.length > 0, 'a word on it');
  t.match(errors, ['The catalog of this node has 10001 services; a control plane takes 10000.']);
  offer.services = named(2);
  link.changed();
  await until(() => deltas.length === 1, 'a smaller one');
  t.equal(errors.length, 1);
});

t.test('parts change nothing before they are whole, nor in a wrong order, nor without end', async (t) => {
  const under = await planeFor(t);
  const { admin } = await nodeFor(t, under, { services: named(1) });
  await until(() => under.plane.store.nodes.require('n1').services.size === 1, 'the catalog');
  const invite = await admin.request('node_invite_create', {});
  const evil = await under.admin();
  const { node_secret } = await evil.request('node_join', {
    invite_token: invite.invite_token,
    node_name: 'n2',
    platform: {},
    labels: {},
  });
  const node = { node_id: 'n2', node_secret: node_secret! };
  const failure = (promise: Promise<unknown>): Promise<string | undefined> =>
    promise.then(
      () => 'ok',
      (error: unknown) => faultOf(error)?.code,
    );
  const text = JSON.stringify({ services: named(2) });
  const part = (at: number, piece: string): Promise<string | undefined> =>
    failure(evil.request('node_catalog_part', { ...node, part: at, text: piece }));
  const whole = (parts: number): Promise<string | undefined> =>
    failure(evil.request('node_service_upsert', { ...node, parts }));
  t.equal(await part(1, text), 'conflict');
  t.equal(await part(0, text.slice(0, 20)), 'ok');
  t.equal(await whole(2), 'conflict');
  t.equal(await whole(1), 'invalid_payload', 'half a text');
  t.equal(under.plane.store.nodes.require('n2').services.size, 0);
  t.equal(await whole(1), 'conflict', 'it is forgotten');
  t.equal(await part(0, '{"services":[7]}'), 'ok');
  t.equal(await whole(1), 'invalid_payload');
  t.equal(await part(0, text.slice(0, 20)), 'ok');
  t.equal(await part(1, text.slice(20)), 'ok');
  t.equal(await whole(2), 'ok');
  t.equal(under.plane.store.nodes.require('n2').services.size, 2);
  let taken = 0;
  while ((await part(taken, 'x'.repeat(900_000))) === 'ok') taken++;
  t.ok(taken > 10 && taken < 20, `${taken} parts were taken`);
});

t.test('lists come in pages that fit a frame, and the pages together are the list', async (t) => {
  const under = await planeFor(t);
  const { store } = under.plane;
  store.change(() => {
    for (let n = 0; n < 1500; n++) {
      store.tokens.create({ role: 'user', agentId: `a${n}`, label: 'x'.repeat(100) });
      store.projects.create(`p${n}`, { nodes: [], description: 'd'.repeat(900) }, false);
      store.pairing.createInvite(60_000);
      store.nodes.join(
        { nodeName: `node-${n}`, platform: {}, labels: { l: 'x'.repeat(900) }, fsUrl: null },
        60_000,
      );
    }
  });
  const admin = await under.admin();
  const lists = {
    token_list: (await admin.requestAll('token_list', {})).tokens.map((one) => one.token_id),
    project_list: (await admin.requestAll('project_list', {})).projects.map((one) => one.project_id),
    node_list: (await admin.requestAll('node_list', {})).nodes.map((one) => one.node_id),
    node_invite_list: (await admin.requestAll('node_invite_list', {})).invites.map((one) => one.invite_id),
  };
  for (const [name, ids] of Object.entries(lists)) {
    t.ok(ids.length >= 1500, `${name}: ${ids.length}`);
    t.strictSame(ids, [...new Set(ids)].sort(), 'each once, in order');
    const page = await admin.request(name as 'node_list', {});
    t.ok(page.next !== undefined && JSON.stringify(page).length < 700_000, 'a page fits a frame');
    const few = Object.values(await admin.request(name as 'node_list', { limit: 3 }));
    t.equal(few.find((value) => Array.isArray(value))?.length, 3);
  }
});
