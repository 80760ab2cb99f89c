import { join } from 'node:path';
import t from 'tap';
import { NodeLink } from '../../lib/control/index.js';
import { Emitter, FsError } from '../../lib/core/index.js';
import { decide, localSession } from '../../lib/policy/index.js';
import { connectWs, memoryPair, type Transport } from '../../lib/transport/index.js';
import {
  acceptHello,
  RemoteVfs,
  sendHello,
  serveVfs,
  type ServedConnection,
} from '../../lib/tunnel/index.js';
import { Document, MapDir, walk, type Op, type Vfs } from '../../lib/vfs/index.js';
import { planeFor } from '../support/plane.js';
import { until } from '../support/until.js';
import { descriptor, temporaryDir } from '../support/store.js';

/** A tree of one live file that says who reads it, to those who may. */
function whoami(): Vfs {
  const facts = { nodeId: 'n1', serviceId: 's', permissions: { allow_roles: ['user'] }, nodeProjects: [] };
  const file = new Document(
    ({ session }) => {
      if (!decide(session, facts, 'observe').allow) throw new FsError('ENOENT', 'There is no such thing.');
      return { bytes: Buffer.from(`${session.role} ${session.agentId} ${session.project?.id}`), mtimeNs: 0n };
    },
    { freshness: 'live' },
  );
  return {
    root: new MapDir(new Map([['whoami', file]])),
    changes: new Emitter(),
    close: async () => undefined,
  };
}

t.test(
  '[P] a change of policy or a revoked token, once acknowledged, bites on the next operation of a mount',
  async (t) => {
    const far = new RemoteVfs({ relayed: true });
    const served = new Set<ServedConnection>();
    const under = await planeFor(t, {
      onFiles: ({ transport, session }) => {
        void acceptHello(transport).then((handshake) =>
          served.add(serveVfs(far, handshake, { sessionOf: () => session.current })),
        );
      },
    });
    t.teardown(() => far.close());
    under.plane.accessChanges.on(async () => {
      for (const live of under.plane.store.sessions.live) far.setSession(live.current);
      await Promise.all([...served].map((connection) => connection.sessionChanged()));
    });
    const admin = await under.admin();
    const [nodeEnd, planeEnd] = memoryPair();
    const [near, handshake] = await Promise.all([sendHello(nodeEnd), acceptHello(planeEnd)]);
    serveVfs(whoami(), near, { relayed: { maxRole: 'user' } });
    far.attach(handshake);
    await admin.request('project_create', { project_id: 'p' });
    const made = await admin.request('token_create', { role: 'user', agent_id: 'bot', projects: ['p'] });
    const control = under.client(made.token);
    const { session } = await control.ready();
    const transport = await connectWs(`${under.url}/v2/fs`, { token: made.token, maxMessageBytes: 2 ** 23 });
    const mount = new RemoteVfs();
    t.teardown(() => mount.close());
    mount.attach(await sendHello(transport, { session: session! }));
    // What a client says of its own identity is ignored.
    const op: Op = { session: localSession('admin'), signal: new AbortController().signal };
    const read = async (): Promise<string> => {
      try {
        const found = await walk(mount.root, '/whoami', op);
        if (found.kind !== 'file') return found.kind;
        const handle = await found.open(
          { read: true, write: false, append: false, truncate: false, exclusive: false },
          op,
        );
        const bytes = await handle.read(0, 100, op);
        await handle.release();
        return Buffer.from(bytes).toString();
      } catch (thrown) {
        return FsError.from(thrown).code;
      }
    };
    t.equal(await read(), 'user bot p');
    await admin.request('project_update', {
      project_id: 'p',
      access_policy: { actions: { invoke: 'deny' } },
    });
    t.equal(await read(), 'ENOENT');
    await admin.request('project_update', { project_id: 'p', access_policy: null });
    t.equal(await read(), 'user bot p');
    await admin.request('token_revoke', { token_id: made.record.token_id });
    t.equal(await read(), 'ENOENT');
  },
);

t.test(
  'a node link dials its tunnel with the epoch that counts, and dials again when it is lost',
  async (t) => {
    const tunnels: Transport[] = [];
    const far = new RemoteVfs({ relayed: true });
    t.teardown(() => far.close());
    const under = await planeFor(t, {
      onNodeTunnel: ({ transport }) => {
        tunnels.push(transport);
        void acceptHello(transport).then((handshake) => far.attach(handshake));
      },
    });
    const { invite_token } = await (await under.admin()).request('node_invite_create', {});
    const link = new NodeLink({
      url: under.url,
      stateFile: join(temporaryDir(t), 'node.json'),
      nodeName: 'n1',
      platform: null,
      labels: {},
      pair: { mode: 'invite', token: invite_token },
      minDelayMs: 5,
      maxDelayMs: 30,
      snapshot: () => ({ services: [descriptor('echo')] }),
      serveTunnel: async (transport, node) =>
        serveVfs(whoami(), await sendHello(transport, { node }), { relayed: { maxRole: 'admin' } }),
    });
    t.teardown(() => link.close());
    await link.start();
    await until(() => far.state === 'attached', 'the tunnel');
    tunnels[0]!.destroy();
    await until(() => tunnels.length === 2 && far.state === 'attached', 'the second tunnel');
    await under.restart();
    await until(() => tunnels.length >= 3 && far.state === 'attached', 'the tunnel after a restart');
    const op: Op = { session: localSession('user'), signal: new AbortController().signal };
    t.equal((await walk(far.root, '/whoami', op)).kind, 'file');
  },
);
