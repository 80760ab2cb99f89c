import t, { type Test } from 'tap';
import { FsError } from '../../lib/core/index.js';
import { localSession, type Role, type Session } from '../../lib/policy/index.js';
import { memoryPair } from '../../lib/transport/index.js';
import {
  acceptHello,
  RemoteVfs,
  sendHello,
  serveVfs,
  type ServedConnection,
} from '../../lib/tunnel/index.js';
import {
  Document,
  MapDir,
  type DirNode,
  type FileNode,
  type Node,
  type Op,
  type Vfs,
} from '../../lib/vfs/index.js';
import { Emitter } from '../../lib/core/index.js';
import { codeOf, readText } from '../support/access.js';
import { directAccess } from '../support/direct-access.js';

const op = (session: Session): Op => ({ session, signal: new AbortController().signal });

/** A node's tree in which each session reads who it is, and `secret` is for admins. */
function treeOfNode(): Vfs {
  const whoami = new Document(({ session }) => ({
    bytes: Buffer.from(JSON.stringify(session)),
    mtimeNs: 0n,
  }));
  const secret = new Document(() => ({ bytes: Buffer.from('secret'), mtimeNs: 0n }));
  class Root extends MapDir {
    override lookup(name: string, op: Op): Node {
      if (op.session.revoked || (name === 'secret' && op.session.role !== 'admin'))
        throw new FsError('ENOENT', 'There is no such thing.');
      return super.lookup(name, op);
    }
  }
  const root: DirNode = new Root(
    new Map<string, Node>([
      ['whoami', whoami],
      ['secret', secret],
    ]),
  );
  return { root, changes: new Emitter(), close: async () => undefined };
}

async function relayed(
  t: Test,
  maxRole: Role,
): Promise<{ remote: RemoteVfs; served: ServedConnection; facts: (readonly string[])[] }> {
  const [atNode, atControl] = memoryPair();
  const facts: (readonly string[])[] = [];
  const remote = new RemoteVfs({ relayed: true });
  remote.setNodeProjects(['p1']);
  const [handshake, accepted] = await Promise.all([
    sendHello(atNode, { node: { id: 'n1', secret: 's3cret', epoch: 4 } }),
    acceptHello(atControl, {
      authorize: (hello) => {
        if (hello.node_id !== 'n1' || hello.node_secret !== 's3cret' || hello.epoch !== 4)
          throw new FsError('EACCES', 'Not that node.');
      },
    }),
  ]);
  const served = serveVfs(treeOfNode(), handshake, {
    relayed: { maxRole, onNodeFacts: ({ nodeProjects }) => facts.push(nodeProjects) },
  });
  remote.attach(accepted);
  t.teardown(async () => {
    await remote.close();
    await served.closed;
  });
  return { remote, served, facts };
}

const whoIs = async (remote: RemoteVfs, session: Session): Promise<Session> =>
  JSON.parse(await readText(directAccess(remote, session), '/whoami')) as Session;

t.test('one tunnel serves many sessions, and each sees and is only itself', async (t) => {
  const { remote, facts } = await relayed(t, 'admin');
  const sessions: Session[] = [
    localSession('admin', null, 'a'),
    localSession('user', 'agent-1', 'b'),
    {
      ...localSession('user', 'agent-2', 'c'),
      project: { id: 'p', verified: true, hasToken: true, accessPolicy: { actions: { invoke: 'open' } } },
    },
  ];
  for (let round = 0; round < 2; round++)
    t.strictSame(await Promise.all(sessions.map((session) => whoIs(remote, session))), sessions);
  t.equal(await codeOf(readText(directAccess(remote, sessions[0]), '/secret')), null);
  t.equal(await codeOf(readText(directAccess(remote, sessions[1]), '/secret')), 'ENOENT');
  t.strictSame(facts, [['p1']]);
});

t.test('a session that changed or was revoked is another from its next operation on', async (t) => {
  const { remote } = await relayed(t, 'admin');
  const before = localSession('admin', 'agent', 'a');
  const file = (await remote.root.lookup('whoami', op(before))) as FileNode;
  await whoIs(remote, before);
  const after: Session = { ...before, role: 'user' };
  t.strictSame(await whoIs(remote, after), after);
  t.equal(await codeOf(readText(directAccess(remote, after), '/secret')), 'ENOENT');
  const revoked: Session = { ...after, revoked: true };
  t.equal(await codeOf(readText(directAccess(remote, revoked), '/whoami')), 'ENOENT');
  const stranger = localSession('user', null, 'z');
  t.equal(await codeOf((async () => file.open({ ...READ }, op(stranger)))()), 'ESTALE');
  remote.endSession('a');
  t.strictSame(await whoIs(remote, before), before);
});

t.test('--max-remote-role user: nobody is an admin of this node from afar', async (t) => {
  const { remote } = await relayed(t, 'user');
  const admin = localSession('admin', null, 'a');
  t.equal((await whoIs(remote, admin)).role, 'user');
  t.equal(await codeOf(readText(directAccess(remote, admin), '/secret')), 'ENOENT');
});

t.test('a relayed request that names no session that is known is refused', async (t) => {
  const [atNode, atControl] = memoryPair();
  const [handshake, accepted] = await Promise.all([sendHello(atNode), acceptHello(atControl)]);
  const served = serveVfs(treeOfNode(), handshake, { relayed: { maxRole: 'admin' } });
  const answers: unknown[] = [];
  const both = new Promise<void>((resolve) => {
    accepted.port.receive({
      frame: (frame) => {
        if (answers.push(frame) === 2) resolve();
      },
      fault: (fault) => t.fail(fault.message),
    });
  });
  accepted.port.transport.resume();
  for (const more of [{}, { s: 'unheard-of' }])
    accepted.port.send({ channel: 'acheron', type: 'acheron.t_fs_getattr', tag: 5, node: 1, ...more });
  await both;
  t.match(answers, [{ error: { errno: 13 } }, { error: { errno: 13 } }]);
  accepted.port.transport.close();
  await served.closed;
});

const READ = { read: true, write: false, append: false, truncate: false, exclusive: false };
