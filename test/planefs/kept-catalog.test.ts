import t, { type Test } from 'tap';
import {
  catalogServiceFromDescriptor,
  type CatalogService,
  type NodeRecord,
} from '../../lib/control/index.js';
import { Emitter, FsError, silentLog, type JsonObject } from '../../lib/core/index.js';
import { CatalogFollower } from '../../lib/planefs/client/catalog-follower.js';
import { CatalogPages, type PagedCatalog } from '../../lib/planefs/catalog-pages.js';
import { KeptCatalog } from '../../lib/planefs/client/kept-catalog.js';
import { KeptTree } from '../../lib/planefs/client/kept-tree.js';
import { localSession } from '../../lib/policy/index.js';
import { memoryPair } from '../../lib/transport/index.js';
import {
  RemoteVfs,
  acceptHello,
  sendHello,
  serveVfs,
  type ServedConnection,
} from '../../lib/tunnel/index.js';
import { MapDir, type Change } from '../../lib/vfs/index.js';
import { until } from '../support/until.js';

const session = localSession('user');

function descriptor(nodeId: string, serviceId: string, help: string): JsonObject {
  return {
    node_id: nodeId,
    service_id: serviceId,
    mounts: [{ mount_id: 'main', mount_path: `/nodes/${nodeId}/${serviceId}` }],
    schema: { input: { type: 'object', description: 'x'.repeat(2000) } },
    help_md: help,
    digest: `sha256:${serviceId.padEnd(64, '0')}`,
  };
}

/** A catalog in which a node can be changed, or hidden from the session. */
class TestCatalog implements PagedCatalog {
  readonly records = new Map<string, NodeRecord>();
  readonly hidden = new Set<string>();
  readonly #changed = new Emitter<string>();

  put(nodeId: string, services: number, help = 'h'.repeat(2000)): void {
    const known = new Map<string, CatalogService>();
    for (let n = 0; n < services; n++) {
      const serviceId = `service-${n}`;
      known.set(serviceId, catalogServiceFromDescriptor(descriptor(nodeId, serviceId, help)));
    }
    const facts = { nodeName: nodeId, epoch: 1, online: true, platform: 'linux', labels: {}, fsUrl: null };
    const times = {
      leaseExpiresAtMs: null,
      joinedAtMs: 1,
      lastSeenMs: 1,
      catalogRevision: 1,
      leaseTtlMs: null,
    };
    this.records.set(nodeId, {
      nodeId,
      ...facts,
      ...times,
      holder: null,
      replica: null,
      reload: null,
      services: known,
    });
    this.#changed.emit(nodeId);
  }

  hide(nodeId: string, serviceId?: string): void {
    this.hidden.add(serviceId === undefined ? nodeId : `${nodeId} ${serviceId}`);
    this.#changed.emit(nodeId);
  }

  visible(): NodeRecord[] {
    const seen = [...this.records.values()].filter(({ nodeId }) => !this.hidden.has(nodeId));
    return seen.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }
  find(_session: unknown, nodeId: string): NodeRecord | undefined {
    return this.hidden.has(nodeId) ? undefined : this.records.get(nodeId);
  }
  services(_session: unknown, { nodeId, services }: NodeRecord): CatalogService[] {
    return [...services.values()].filter(({ serviceId }) => !this.hidden.has(`${nodeId} ${serviceId}`));
  }
  may(): boolean {
    return true;
  }
  presence(): { isHere: boolean; sinceMs: number } {
    return { isHere: true, sinceMs: 0 };
  }
  onChange(listener: (nodeId: string) => void): () => void {
    return this.#changed.on(listener);
  }
}

interface Followed {
  readonly kept: KeptCatalog;
  readonly vfs: RemoteVfs;
  /** The nodes of which changes were reported. */
  readonly reported: string[];
  /** Warnings of the one that follows. */
  readonly warned: string[];
  /** Connects it to another control plane, which has this catalog. */
  readonly connect: (catalog: TestCatalog) => Promise<ServedConnection>;
}

/** Keeps a catalog over a connection; nothing is asked over it but for the catalog. */
function followed(t: Test, kept = new KeptCatalog()): Followed {
  const vfs = new RemoteVfs();
  const reported: string[] = [];
  const warned: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void warned.push(message) };
  const follower = new CatalogFollower(vfs, kept, log, Promise.resolve());
  vfs.catalogChanges.on((news) => reported.push(...news.map(({ node_id: nodeId }) => nodeId)));
  t.teardown(() => {
    follower.close();
    return vfs.close();
  });
  const connect = async (catalog: TestCatalog): Promise<ServedConnection> => {
    const [near, far] = memoryPair();
    const changes = new Emitter<Change>();
    const tree = { root: new MapDir(new Map()), changes, close: () => Promise.resolve() };
    const [accepted, shaken] = await Promise.all([acceptHello(far), sendHello(near)]);
    const served = serveVfs(tree, accepted, {
      sessionOf: () => session,
      catalog: new CatalogPages(catalog, () => session),
    });
    t.teardown(() => served.closed);
    t.teardown(() => served.close());
    vfs.attach(shaken);
    return served;
  };
  return { kept, vfs, reported, warned, connect };
}

async function follow(t: Test, catalog: TestCatalog, kept?: KeptCatalog): Promise<Followed> {
  const follower = followed(t, kept);
  await follower.connect(catalog);
  return follower;
}

/** The ids of the nodes that are shown; EHOSTDOWN where nobody knows. */
const idsOf = (kept: KeptCatalog): string[] | 'EHOSTDOWN' => {
  try {
    return kept.ids();
  } catch (thrown) {
    if (FsError.from(thrown).code !== 'EHOSTDOWN') throw thrown;
    return 'EHOSTDOWN';
  }
};

const servicesOf = (kept: KeptCatalog, nodeId: string): string[] => [...kept.find(nodeId).services.keys()];

t.test(
  'a thousand nodes of fifty services each are kept in little time, and what they all say is kept once',
  async (t) => {
    const catalog = new TestCatalog();
    for (let n = 0; n < 1000; n++) catalog.put(`node-${n}`, 50);
    const startMs = performance.now();
    const { kept } = await follow(t, catalog);
    await until(() => idsOf(kept).length === 1000, 'the catalog');
    t.comment(`${Math.round(performance.now() - startMs)} ms, ${kept.bytes} bytes`);
    t.ok(kept.bytes < 10_000_000, `${kept.bytes} bytes of descriptors are kept, of 200 MB`);
    t.same(
      kept.find('node-7').services.get('service-3')?.descriptor,
      descriptor('node-7', 'service-3', 'h'.repeat(2000)),
    );
  },
);

t.test('a node with more services than a page holds is kept whole', async (t) => {
  const catalog = new TestCatalog();
  catalog.put('small', 1);
  catalog.put('large', 5000);
  const { kept } = await follow(t, catalog);
  await until(() => idsOf(kept).length === 2, 'the catalog');
  t.equal(kept.find('large').services.size, 5000);
});

t.test(
  'a node that changes is asked for alone; one that is hidden is dropped at once; of what was hidden, nothing is reported',
  async (t) => {
    const catalog = new TestCatalog();
    for (const nodeId of ['a', 'b', 'c']) catalog.put(nodeId, 2);
    catalog.hide('c');
    const { kept, reported } = await follow(t, catalog);
    await until(() => idsOf(kept).length === 2, 'the catalog');
    catalog.put('a', 3);
    await until(() => kept.nodes.get('a')?.services.size === 3, 'the change');
    t.same(reported, ['a']);
    catalog.hide('b');
    await until(() => reported.length === 2, 'the push');
    t.equal(kept.nodes.get('b'), undefined, 'it is not shown from the push on');
    catalog.put('b', 7);
    catalog.put('c', 7);
    catalog.put('a', 4);
    await until(() => kept.nodes.get('a')?.services.size === 4, 'a later change');
    t.same(reported, ['a', 'b', 'a']);
    t.same(idsOf(kept), ['a']);
  },
);

t.test(
  'what a push no longer names is hidden at once, and the rest shown as it was, though nobody can be asked any more',
  async (t) => {
    const catalog = new TestCatalog();
    for (const nodeId of ['a', 'b']) catalog.put(nodeId, 3);
    const { kept, vfs, connect } = followed(t);
    const served = await connect(catalog);
    await until(() => idsOf(kept).length === 2, 'the catalog');
    vfs.catalogChanges.on(() => served.close());
    catalog.hide('a', 'service-1');
    await served.closed;
    await until(() => vfs.state === 'detached', 'the loss');
    t.same(idsOf(kept), ['a', 'b']);
    t.same(servicesOf(kept, 'a'), ['service-0', 'service-2']);
    t.same(servicesOf(kept, 'b'), ['service-0', 'service-1', 'service-2']);
  },
);

t.test(
  'of a service that was named, but not sent before the loss, nobody says that it is not there',
  async (t) => {
    const catalog = new TestCatalog();
    catalog.put('a', 1);
    const { kept, vfs, connect } = followed(t);
    const served = await connect(catalog);
    await until(() => idsOf(kept).length === 1, 'the catalog');
    vfs.catalogChanges.on((news) => {
      if (news.some(({ node_id: nodeId }) => nodeId === 'b')) served.close();
    });
    catalog.put('a', 2);
    catalog.put('b', 1);
    await served.closed;
    await until(() => vfs.state === 'detached', 'the loss');
    const tree = new KeptTree(kept);
    const op = { session, signal: new AbortController().signal };
    const codeAt = (...names: string[]): string | undefined => {
      try {
        tree.find(names, op);
        return undefined;
      } catch (thrown) {
        return FsError.from(thrown).code;
      }
    };
    t.equal(codeAt('nodes', 'a', 'services', 'service-0', 'README.md'), undefined);
    t.equal(codeAt('nodes', 'a', 'services', 'service-1'), 'EHOSTDOWN');
    t.equal(codeAt('nodes', 'a', 'services', 'service-2'), 'ENOENT');
    t.equal(codeAt('nodes', 'b'), undefined, 'a node that was named is there');
    t.equal(codeAt('nodes', 'b', 'README.md'), 'EHOSTDOWN');
    t.equal(codeAt('nodes', 'c'), 'ENOENT');
  },
);

t.test('after a change of rights nothing is shown until it was sent again', async (t) => {
  const catalog = new TestCatalog();
  catalog.put('a', 1);
  catalog.put('b', 1);
  const { kept, vfs, connect } = followed(t);
  const served = await connect(catalog);
  await until(() => idsOf(kept).length === 2, 'the catalog');
  catalog.hidden.add('b');
  const atOnce: unknown[] = [];
  vfs.doubts.on(() => atOnce.push(idsOf(kept), kept.nodes.get('a'), kept.nodes.get('b')));
  await served.sessionChanged();
  t.same(atOnce, ['EHOSTDOWN', undefined, undefined], 'before the change is acknowledged');
  await until(() => idsOf(kept).length === 1, 'the catalog');
  t.same(idsOf(kept), ['a']);
});

t.test(
  'a control plane that comes back and is lost before it sent anything leaves all as it was; one that does not know us, nothing',
  async (t) => {
    const catalog = new TestCatalog();
    catalog.put('a', 1);
    const { kept, vfs, connect } = followed(t);
    for (let times = 0; times < 3; times++) {
      const served = await connect(catalog);
      if (times === 0) await until(() => idsOf(kept).length === 1, 'the catalog');
      served.close();
      await until(() => vfs.state === 'detached', 'the loss');
      t.same(idsOf(kept), ['a']);
      t.equal(kept.isBehind, times > 0);
    }
    vfs.forget();
    t.equal(idsOf(kept), 'EHOSTDOWN');
    await connect(catalog);
    await until(() => idsOf(kept).length === 1, 'the catalog');
    t.notOk(kept.isBehind);
  },
);

t.test(
  'not more than 64 MiB of descriptors are kept; of other nodes it is known that they are there, and room is used again',
  async (t) => {
    const catalog = new TestCatalog();
    const helpOf = (n: number): string => `${n} `.repeat(50_000);
    for (let n = 0; n < 100; n++) catalog.put(`node-${String(n).padStart(3, '0')}`, 10);
    for (let n = 100; n < 500; n++) catalog.put(`node-${n}`, 1, helpOf(n));
    const { kept, warned } = await follow(t, catalog);
    await until(() => idsOf(kept).length === 500, 'the catalog');
    t.ok(kept.bytes <= 64 * 1024 * 1024, `${kept.bytes} bytes`);
    t.ok(kept.bytes > 63 * 1024 * 1024, `${kept.bytes} bytes`);
    t.ok(kept.unkept > 50, `${kept.unkept} nodes are not kept`);
    t.ok(kept.isKept('node-007'));
    t.notOk(kept.isKept('node-499'));
    await until(() => warned.length > 0, 'the warning');
    t.same(warned, ['The descriptors of some nodes are too much to keep.']);
    const tree = new KeptTree(kept);
    const op = { session, signal: new AbortController().signal };
    t.match(await tree.find(['nodes', 'node-499'], op).stat(op), { mode: 0o555 });
    t.throws(() => tree.find(['nodes', 'node-499', 'NODE.json'], op), { code: 'EHOSTDOWN' });
    t.throws(() => tree.find(['nodes', 'node-500'], op), { code: 'ENOENT' });
    for (let n = 100; n < 300; n++) catalog.put(`node-${n}`, 1, 'short');
    await until(() => kept.bytes < 30 * 1024 * 1024, 'the room');
    catalog.put('node-499', 1, helpOf(1000));
    await until(() => kept.isKept('node-499'), 'the node that was too much');
  },
);
