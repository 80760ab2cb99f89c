import { join } from 'node:path';
import { ControlClient, NodeLink } from '../../lib/control/index.js';
import { silentLog, type JsonObject } from '../../lib/core/index.js';
import {
  runPlane,
  type PlaneOptions,
  type RunningNodeOptions,
  type RunningPlane,
} from '../../lib/compose/index.js';
import { sendHello, serveVfs } from '../../lib/tunnel/index.js';
import type { Role } from '../../lib/policy/index.js';
import { RawClient } from './raw-client.js';
import { TestNode, temporaryDir, type Teardown } from './test-node.js';
import { until } from './until.js';

/** How the node belongs to the control plane: in its process, or at the far end of a tunnel. */
export type Joined = 'here' | 'through a tunnel';

/** The identity of a client of the control plane. */
export interface Who {
  readonly token: string;
  readonly project?: string | undefined;
  readonly projectToken?: string | undefined;
}

/** A control plane and one node, `n1`, in this process; clients reach them by WebSocket. */
export class PlaneWithNode {
  readonly plane: RunningPlane;
  readonly node: TestNode;
  readonly admin: ControlClient;
  readonly #t: Teardown;
  readonly #link: NodeLink | undefined;

  private constructor(t: Teardown, plane: RunningPlane, node: TestNode, link: NodeLink | undefined) {
    this.#t = t;
    this.#link = link;
    this.plane = plane;
    this.node = node;
    this.admin = this.client({ token: this.token('admin') });
  }

  static async start(
    t: Teardown,
    joined: Joined,
    manifests: readonly JsonObject[],
    maxRemoteRole: Role = 'admin',
    options: Partial<RunningNodeOptions> = {},
    planeOptions: Partial<PlaneOptions> = {},
  ): Promise<PlaneWithNode> {
    const node = await TestNode.start(t, manifests, options);
    const builtIn = (options.exports === undefined ? 0 : 1) + (options.terminals?.length ?? 0);
    const stateDir = temporaryDir(t);
    const local = joined === 'here' ? { local: node.node } : {};
    const plane = await runPlane({ stateDir, port: 0, ...local, ...planeOptions });
    t.teardown(() => plane.close());
    const link = joined === 'through a tunnel' ? linked(t, plane, node, maxRemoteRole) : undefined;
    const { store } = plane.control;
    // Some offer others beside themselves, as soon as they run.
    const isThere = (): boolean => (store.nodes.get('n1')?.services.size ?? 0) >= manifests.length + builtIn;
    await until(isThere, 'the catalog');
    const started = new PlaneWithNode(t, plane, node, link);
    await started.admin.ready();
    return started;
  }

  /** The node goes away. */
  unlink(): void {
    this.#link?.close();
  }

  token(role: 'admin' | 'user', agentId: string | null = null): string {
    return this.plane.control.store.tokens.create({ role, agentId, projects: null, label: null }).token;
  }

  client({ token, project, projectToken }: Who): ControlClient {
    const attach = project === undefined ? {} : { project: { id: project, token: projectToken ?? null } };
    const client = new ControlClient({ url: this.plane.url, token, ...attach });
    this.#t.teardown(() => client.close());
    return client.start();
  }

  /** A session of these, and a client of its files that knows nothing of ours. */
  async session(who: Who): Promise<{ control: ControlClient; files: RawClient }> {
    const control = this.client(who);
    const { session } = await control.ready();
    const files = await RawClient.connect(`${this.plane.url}/v2/fs`, who.token);
    this.#t.teardown(() => files.close());
    const hello = { protocol: 'unified-v2-fs', proto: 2, session };
    await files.ask('t_fs_hello', {}, hello);
    return { control, files };
  }
}

function linked(t: Teardown, plane: RunningPlane, { node, dir }: TestNode, maxRole: Role): NodeLink {
  const { token } = plane.control.store.pairing.createInvite(60_000);
  const link = new NodeLink({
    url: plane.url,
    stateFile: join(dir, 'link.json'),
    platform: node.facts.platform,
    labels: {},
    nodeName: 'n1',
    software: '0.0.0',
    pair: { mode: 'invite', token },
    snapshot: () => node.catalog(),
    audit: node.audit,
    reloads: node.reloads,
    serveTunnel: async (transport, identity) => {
      const handshake = await sendHello(transport, { node: identity });
      return serveVfs({ root: node.dir, changes: node.changes, close: async () => undefined }, handshake, {
        relayed: {
          maxRole,
          onNodeFacts: ({ nodeProjects }) => node.setNodeProjects(nodeProjects),
        },
        log: silentLog,
      });
    },
  });
  t.teardown(() => link.close());
  node.onCatalogChange(() => link.changed());
  void link.start();
  return link;
}
