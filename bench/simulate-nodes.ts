// A child process of the bench: `simulate-nodes URL TOKEN_FILE NODES SERVICES` joins so many nodes to a control
// plane, each with its connection, its services and its tunnel, as a node keeps them; nothing runs behind them.
// Prints a line when all are registered, with how long it took and how many attempts failed; again after each time that
// all had to come back. Ends with SIGTERM.
import { readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { ControlClient, NODE_ENTRY_MS } from '../lib/control/index.js';
import { Emitter, type JsonObject } from '../lib/core/index.js';
import { MAX_FS_FRAME_BYTES } from '../lib/protocol/index.js';
import { connectWs } from '../lib/transport/index.js';
import { sendHello, serveVfs } from '../lib/tunnel/index.js';
import { Document, MapDir, type Change, type Node, type Vfs } from '../lib/vfs/index.js';
import { joinNode } from './join-node.js';

const [url = '', tokenFile = '', nodes = '1000', services = '50'] = process.argv.slice(2);
const serviceIds = Array.from({ length: Number(services) }, (_, i) => `service-${i}`);
const registered = new Set<string>();
const AT_ONCE = 32;
/** As nodes do, whose leases run for a minute. */
const REFRESH_MS = 20_000;

const admin = new ControlClient({ url, token: readFileSync(tokenFile, 'utf8').trim() }).start();
await admin.ready();
const secrets = new Map<string, string>();
const numbers = Array.from({ length: Number(nodes) }, (_, i) => i).values();
await Promise.all(Array.from({ length: 32 }, joinSome));
admin.close();
process.stdout.write('joined\n');
let startMs = performance.now();
let failed = 0;
let started = 0;
for (const [id, secret] of secrets) {
  keep(id, secret);
  // Nodes are machines of their own: none waits until all others have begun.
  if (++started % AT_ONCE === 0) await turn();
}
process.once('SIGTERM', () => process.exit(0));

async function joinSome(): Promise<void> {
  for (const i of numbers) {
    const { node_id, node_secret } = await joinNode(admin, `node-${i}`);
    secrets.set(node_id, node_secret);
  }
}

function keep(id: string, secret: string): void {
  const client = new ControlClient({ url, connect: () => ({ node_id: id, node_secret: secret }) });
  const vfs = treeOfServices();
  client.states.on(({ state }) => {
    if (state !== 'backing-off') return;
    if (!registered.delete(id)) failed++;
    else if (registered.size === secrets.size - 1) {
      startMs = performance.now();
      failed = 0;
    }
  });
  // As a node does: what fails in the crowd is tried again, until the connection is another one.
  const attempt = async (epoch: number): Promise<void> => {
    try {
      await register(client, id, secret, epoch, vfs);
    } catch (thrown) {
      failed++;
      process.stderr.write(`${id}: ${String(thrown)}\n`);
      if (client.welcome?.node?.epoch === epoch) setTimeout(() => void attempt(epoch), 200);
    }
  };
  client.connected.on(({ node }) => {
    if (node) void attempt(node.epoch);
  });
  setInterval(() => {
    const epoch = client.welcome?.node?.epoch;
    if (client.state.state !== 'open' || epoch === undefined) return;
    client
      .request('node_lease_refresh', { node_id: id, node_secret: secret, epoch })
      .catch((thrown: unknown) => process.stderr.write(`${id}: ${String(thrown)}\n`));
  }, REFRESH_MS);
  client.start();
}

async function register(
  client: ControlClient,
  id: string,
  secret: string,
  epoch: number,
  vfs: Vfs,
): Promise<void> {
  const identity = { id, secret, epoch };
  const descriptors = serviceIds.map((service) => descriptorOf(id, service));
  const transport = await connectWs(`${url}/v2/fs`, {
    maxMessageBytes: MAX_FS_FRAME_BYTES,
    timeoutMs: NODE_ENTRY_MS,
  });
  serveVfs(vfs, await sendHello(transport, { node: identity }), { relayed: { maxRole: 'admin' } });
  await client.request('node_service_upsert', {
    node_id: id,
    node_secret: secret,
    epoch,
    services: descriptors,
  });
  registered.add(id);
  if (registered.size === secrets.size)
    process.stdout.write(`registered ${Math.round(performance.now() - startMs)} failed ${failed}\n`);
}

function descriptorOf(nodeId: string, serviceId: string): JsonObject {
  const base = `/nodes/${nodeId}/${serviceId}`;
  return {
    service_id: serviceId,
    kind: 'bench',
    version: '1',
    state: 'online',
    endpoints: [base],
    capabilities: { invoke: true },
    mounts: [{ mount_id: serviceId, mount_path: base, state: 'ready' }],
    ops: { model: 'namespace', invoke: 'control/invoke.json' },
    runtime: { type: 'native_proc', abi: 'namespace-driver-v1' },
    permissions: { allow_roles: ['admin', 'user'] },
    schema: { input: { type: 'object', properties: { text: { type: 'string' } } } },
    help_md: `# ${serviceId}\n\nIt stands for a service of ordinary size.\n`,
  };
}

function treeOfServices(): Vfs {
  const readme = new Document(() => ({ bytes: Buffer.from('# service\n'), mtimeNs: 0n }));
  const each = serviceIds.map((id): [string, Node] => [id, new MapDir(new Map([['README.md', readme]]))]);
  return {
    root: new MapDir(new Map<string, Node>([['services', new MapDir(new Map(each))]])),
    changes: new Emitter<Change>(),
    close: async () => undefined,
  };
}
