import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Session } from '../../lib/policy/index.js';
import { memoryPair } from '../../lib/transport/index.js';
import { acceptHello, RemoteVfs, sendHello, serveVfs } from '../../lib/tunnel/index.js';
import { walk, type FileHandle, type Op, type Vfs } from '../../lib/vfs/index.js';
import { OTHER_USER, READ, TestNode, USER, errnoOf, readAll, shellManifest } from '../support/test-node.js';

const SCRIPT = `
for i in 1 2 3; do
  echo "line $i" >&2; echo "::progress {\\"done\\": $i, \\"total\\": 3}" >&2
  until [ -e "../go$i" ]; do sleep 0.01; done
done`;

const op = (session: Session, signal = new AbortController().signal): Op => ({ session, signal });

/** What a peer sees of a tree: `relayed` as a control plane does, for many sessions; else for one. */
async function peerOf(
  t: Test,
  tree: Vfs,
  as: { relayed: true } | { sessionOf: () => Session },
): Promise<RemoteVfs> {
  const [near, far] = memoryPair();
  const [dialled, accepted] = await Promise.all([sendHello(near), acceptHello(far)]);
  const isRelayed = 'relayed' in as;
  const served = serveVfs(tree, accepted, isRelayed ? { relayed: { maxRole: 'admin' } } : as);
  const remote = new RemoteVfs(isRelayed ? { relayed: true } : {});
  remote.attach(dialled);
  t.teardown(async () => {
    await remote.close();
    await served.closed;
  });
  return remote;
}

interface Followed {
  readonly node: TestNode;
  /** A client of a control plane that relays to the node: two hops. */
  readonly client: RemoteVfs;
  readonly job: string;
  readonly allow: (session: Session) => void;
  readonly go: (step: number) => void;
  readonly open: (file: string) => Promise<FileHandle>;
}

async function followed(t: Test): Promise<Followed> {
  const node = await TestNode.start(t, [shellManifest('steps', SCRIPT)]);
  const plane = await peerOf(t, node.world, { relayed: true });
  let session: Session = USER;
  const client = await peerOf(t, plane, { sessionOf: () => session });
  await node.write(node.path('steps', 'control/submit.json'), '{}', USER);
  const [id = ''] = (await node.names(node.path('steps', 'jobs'), USER)).filter((name) => /^\d/.test(name));
  const job = node.path('steps', `jobs/${id}`);
  return {
    node,
    client,
    job,
    allow: (other) => (session = other),
    go: (step) => writeFileSync(join(node.dir, `go${step}`), ''),
    open: async (file) => {
      const found = await walk(client.root, `${job}/${file}`, op(USER));
      if (found.kind !== 'file') throw new TypeError(`${file} is no file`);
      return found.open(READ, op(USER));
    },
  };
}

t.test(
  'a stream and a document of another machine are followed without looking again and again',
  async (t) => {
    const { open, go } = await followed(t);
    const stderr = await open('stderr');
    let text = '';
    for (let step = 1; await stderr.awaitChange?.(text.length, op(USER)); step++) {
      text += await readAll(stderr, op(USER), text.length);
      if (step > 3) continue;
      t.equal(text, Array.from({ length: step }, (_, i) => `line ${i + 1}\n`).join(''));
      let progress = await open('progress.json');
      for (
        ;
        !(await readAll(progress, op(USER))).includes(`"done": ${step}`);
        progress = await open('progress.json')
      )
        t.equal(await progress.awaitChange?.(0, op(USER)), true, `progress ${step}`);
      go(step);
    }
    t.equal(text, 'line 1\nline 2\nline 3\n');
    t.equal(
      await (await open('progress.json')).awaitChange?.(0, op(USER)),
      false,
      'it says nothing else any more',
    );
    await stderr.release();
  },
);

t.test('who waits can give up, or close, and is answered at once', async (t) => {
  const { open, go } = await followed(t);
  const stderr = await open('stderr');
  const at = (await readAll(stderr, op(USER))).length || 'line 1\n'.length;
  const caller = new AbortController();
  const givenUp = errnoOf(() => stderr.awaitChange?.(at, op(USER, caller.signal)));
  const second = await open('stderr');
  const replaced = errnoOf(() => second.awaitChange?.(at, op(USER)));
  const closed = errnoOf(() => second.awaitChange?.(at, op(USER)));
  t.equal(await replaced, 'ECANCELED', 'another wait on the same descriptor');
  caller.abort();
  t.equal(await givenUp, 'ECANCELED');
  await second.release();
  t.equal(await closed, 'ECANCELED');
  for (const step of [1, 2, 3]) go(step);
  while (await stderr.awaitChange?.(1000, op(USER)));
  await stderr.release();
});

t.test('who may no longer see a job hears nothing of it', async (t) => {
  const { open, go, allow } = await followed(t);
  const stderr = await open('stderr');
  while ((await readAll(stderr, op(USER))) === '') await stderr.awaitChange?.(0, op(USER));
  const waiting = errnoOf(() => stderr.awaitChange?.('line 1\n'.length, op(USER)));
  allow(OTHER_USER);
  for (const step of [1, 2, 3]) go(step);
  t.not(await waiting, null);
});

t.test('a file that nobody notices changes of says so', async (t) => {
  const { client, node } = await followed(t);
  const found = await walk(client.root, node.path('steps', 'metrics.json'), op(USER));
  if (found.kind !== 'file') throw new TypeError('metrics.json is no file');
  const handle = await found.open(READ, op(USER));
  t.equal(await errnoOf(() => handle.awaitChange?.(0, op(USER))), 'EOPNOTSUPP');
});
