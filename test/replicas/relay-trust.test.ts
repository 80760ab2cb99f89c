import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls, createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { makeAuthority, makeServerCertificate } from '../../lib/cli/auto-tls/make-certificates.js';
import { PostgresLog, storeAddressFrom } from '../../lib/cluster/index.js';
import { RemoteTree } from '../../lib/compose/index.js';
import { ControlClient, proveAsCaller } from '../../lib/control/index.js';
import { FsError, silentLog } from '../../lib/core/index.js';
import type { Session } from '../../lib/policy/index.js';
import { ChannelLink, connectWs } from '../../lib/transport/index.js';
import { RemoteVfs, sendHello } from '../../lib/tunnel/index.js';
import { walk, type FileNode, type Op } from '../../lib/vfs/index.js';
import { freePort } from '../support/free-port.js';
import { NodeProcess } from '../support/plane-processes.js';
import { noPostgres, PostgresServer } from '../support/postgres.js';
import { ReplicaProcess } from '../support/replica-processes.js';
import { ReplicatedStores } from '../support/replicas.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryDir } from '../support/test-node.js';
import { waited } from '../support/times.js';
import { until } from '../support/until.js';

t.setTimeout(300_000);

const SECRET = 'what stands in the file of the node';
const READ = { read: true, write: false, append: false, truncate: false, exclusive: false };
const opOf = (session: Session): Op => ({ session, signal: new AbortController().signal });
const ANYBODY: Session = { id: '', role: 'admin', agentId: null, project: null, revoked: false };

async function contentOf(vfs: RemoteVfs, path: string, session = ANYBODY): Promise<string> {
  const op = opOf(session);
  const handle = await ((await walk(vfs.root, path, op)) as FileNode).open(READ, op);
  try {
    return Buffer.from(await handle.read(0, 1000, op)).toString();
  } finally {
    await handle.release();
  }
}

/** Of one that makes its certificates by itself. */
const authorityOf = ({ stateDir }: ReplicaProcess): string =>
  readFileSync(join(stateDir, 'tls/ca.crt'), 'utf8');

/** Which certificate is shown there. */
async function shownAt(port: number): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

/** The other end of TLS for both sides, with a certificate of its own; what passes is noted. */
async function manInTheMiddle(t: Test, port: number): Promise<{ port: number; heard: Buffer[] }> {
  const now = Date.now();
  const { cert, key } = await makeServerCertificate(
    await makeAuthority('of another', now),
    ['127.0.0.1'],
    now,
  );
  const heard: Buffer[] = [];
  const open = new Set<TLSSocket>();
  const server = createServer({ cert, key }, (near) => {
    const far = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on('data', (bytes: Buffer) => void (heard.push(bytes), to.write(bytes)));
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, heard };
}

t.test(
  'three replicas that relay by TLS, each with a certificate of its own',
  { skip: noPostgres },
  async (t) => {
    const server = await PostgresServer.primary(t);
    const store = PostgresServer.url(server);
    const dir = temporaryDir(t);
    const authority = await makeAuthority('of the one that has the node', Date.now());
    const certify = async (): Promise<string> => {
      const { cert, key } = await makeServerCertificate(authority, ['127.0.0.1'], Date.now());
      writeFileSync(join(dir, 'plane.crt'), cert);
      writeFileSync(join(dir, 'plane.key'), key, { mode: 0o600 });
      return new X509Certificate(cert).fingerprint256;
    };
    await certify();
    writeFileSync(join(dir, 'ca.crt'), authority.cert);
    const port = await freePort();
    let way = port;
    /** What others take for the replica that has the node. */
    const between = await TcpProxy.start(() => way);
    t.teardown(() => between.close());
    const [a, b] = [
      await ReplicaProcess.start(t, store, ['--tls-auto']),
      await ReplicaProcess.start(t, store, ['--tls-auto']),
    ];
    const holder = new ReplicaProcess(t, store, [
      ...['--tls-cert', join(dir, 'plane.crt'), '--tls-key', join(dir, 'plane.key')],
      ...['--advertise', between.url.replace(/^ws/, 'wss')],
    ]);
    await holder.start(String(port));

    const token = a.token('admin');
    const admin = new ControlClient({ url: a.url, token, ca: authorityOf(a) }).start();
    t.teardown(() => admin.close());
    const { invite_token: invite } = await admin.request('node_invite_create', {});
    const exported = temporaryDir(t);
    writeFileSync(join(exported, 'file'), SECRET);
    const node = new NodeProcess(t, holder, 'far', []);
    node.start(invite, [
      '--tls-ca',
      join(dir, 'ca.crt'),
      '--export',
      `box=${exported}:as=${process.getuid!()}`,
    ]);
    const treeAt = async (replica: ReplicaProcess): Promise<RemoteVfs> => {
      const tree = new RemoteTree({ url: replica.url, token, ca: authorityOf(replica) });
      await tree.start();
      t.teardown(() => tree.close());
      return tree.vfs;
    };
    const [atA, atB] = [await treeAt(a), await treeAt(b)];
    const FILE = 'nodes/far/fs/box/file';
    const isRead = async (vfs: RemoteVfs): Promise<boolean> =>
      (await contentOf(vfs, FILE).catch(() => '')) === SECRET;
    /** What a read says that fails. */
    const failureAt = async (vfs: RemoteVfs): Promise<FsError | undefined> =>
      contentOf(vfs, FILE).then(
        () => undefined,
        (thrown: unknown) => FsError.from(thrown),
      );
    const failuresAtA = async (reason: string): Promise<number> => {
      const { metrics } = (await admin.request('metrics', {})) as {
        metrics: { name: string; values: { labels: { reason?: string }; value: number }[] }[];
      };
      const found = metrics.find(({ name }) => name === 'acheron_control_relay_failures_total');
      return found?.values.find(({ labels }) => labels.reason === reason)?.value ?? NaN;
    };

    await t.test('certificates of nobody in common do: the key of the store is the proof', async (t) => {
      await until(() => isRead(atA), 'the file at another replica', 60_000);
      t.equal(await failuresAtA('not_proved'), 0);
    });

    await t.test(
      'another certificate, by SIGHUP: links that are there stay, and new ones are made',
      async (t) => {
        const fingerprint = await certify();
        holder.program.child.kill('SIGHUP');
        await until(async () => (await shownAt(port)) === fingerprint, 'the other certificate');
        t.ok(await isRead(atA), 'over the link that was there');
        await until(() => isRead(atB), 'over a new one');
      },
    );

    await t.test('a replica gets for a session no more than it may, whatever it says of it', async (t) => {
      const address = storeAddressFrom(store);
      const stores = new ReplicatedStores(t, () =>
        PostgresLog.open({ address, password: undefined, log: silentLog }),
      );
      const liar = await stores.add();
      const { relayKey: key, membership } = liar.replicas!;
      const peer = membership.members().find(({ address: at }) => at === between.url.replace(/^ws/, 'wss'))!;
      const transport = await connectWs(`wss://127.0.0.1:${port}/v2/relay`, {
        maxMessageBytes: 1024 * 1024,
        anyCertificate: true,
      });
      t.teardown(() => transport.destroy());
      await proveAsCaller(
        transport,
        { key, selfId: membership.selfId, binding: transport.channelBinding },
        peer.id,
      );
      const link = new ChannelLink(transport, 'connected');
      const asked = new RemoteVfs({ relayed: true });
      t.teardown(() => asked.close());
      asked.attach(await sendHello(link.openChannel('far')));
      const made = (role: 'admin' | 'user'): Promise<{ id: string; tokenId: string }> =>
        liar.commit(() => {
          const { record } = liar.tokens.create({ role, ...(role === 'user' ? { agentId: 'u' } : {}) });
          const { sessionId } = liar.sessions.create(record, liar.tokens.liveHash(record.tokenId)!);
          return { id: sessionId, tokenId: record.tokenId };
        });
      const outcome = (session: Session): Promise<string> =>
        contentOf(asked, '@control/metrics', session).then(
          () => 'read',
          (thrown: unknown) => FsError.from(thrown).code,
        );
      const [ofAdmin, ofUser] = [await made('admin'), await made('user')];
      t.equal(await outcome({ ...ANYBODY, id: ofAdmin.id }), 'read', 'what an admin may');
      t.not(await outcome({ ...ANYBODY, id: ofUser.id }), 'read', 'a user is none by being called one');
      t.equal(
        await outcome({ ...ANYBODY, id: 's-0123456789abcdef01234567' }),
        'ENOENT',
        'one that nobody began sees nothing',
      );
      await liar.commit(() => liar.tokens.revoke(ofAdmin.tokenId));
      t.equal(
        await outcome({ ...ANYBODY, id: ofAdmin.id }),
        'ENOENT',
        'nor does one whose token was revoked since',
      );
    });

    await t.test(
      'replicas that do not reach each other: EHOSTDOWN in a sentence, soon, and then all goes on',
      async (t) => {
        for (const part of [() => between.refuse(), () => between.swallow()]) {
          part();
          const { answer: failure, ms: tookMs } = await waited(() => failureAt(atA));
          t.match(failure, { code: 'EHOSTDOWN', message: /^[^.]*another replica[^.]*\.$/ });
          t.ok(tookMs < 8_000, `in ${Math.round(tookMs)} ms`);
          between.refuse(false);
          between.release();
          await until(() => isRead(atA), 'the file again', 30_000);
        }
      },
    );

    await t.test('whoever sits in between, with a certificate of its own, passes on nothing', async (t) => {
      const middle = await manInTheMiddle(t, port);
      way = middle.port;
      between.cut();
      await until(
        async () => {
          t.match(await failureAt(atA), { code: 'EHOSTDOWN' });
          return (await failuresAtA('not_proved')) > 0;
        },
        'a count of what is no replica',
        60_000,
      );
      t.ok(middle.heard.length > 0, 'they did meet');
      t.notOk(Buffer.concat(middle.heard).includes(SECRET));
      way = port;
      between.cut();
      await until(() => isRead(atA), 'the file, over the way that is right', 30_000);
    });
  },
);
