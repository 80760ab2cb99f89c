import t from 'tap';
import { FsError } from '../../lib/core/index.js';
import { localSession } from '../../lib/policy/index.js';
import { RemoteTree } from '../../lib/compose/remote-tree.js';
import { walk, type FileHandle, type Op } from '../../lib/vfs/index.js';
import { READ, READ_WRITE } from '../support/test-node.js';
import { waited } from '../support/times.js';
import { answersFrom } from './fixtures/hostile-node.js';
import { HostilePlane } from './fixtures/hostile-plane.js';

const HONEST = answersFrom({
  1: { kind: 'dir', entries: { kept: 2, live: 3 } },
  2: { kind: 'file', text: 'kept\n' },
  3: { kind: 'file', text: 'live\n', more: { freshness: 'live' } },
});
const op = (): Op => ({ session: localSession('admin'), signal: new AbortController().signal });

async function open(tree: RemoteTree, path: string, flags = READ): Promise<FileHandle> {
  const node = await walk(tree.vfs.root, path, op());
  if (node.kind !== 'file') throw new Error(`${path} is no file.`);
  return node.open(flags, op());
}

async function failing(asking: Promise<unknown>): Promise<{ error: FsError | undefined; ms: number }> {
  const { answer: error, ms } = await waited(() =>
    asking.then(
      () => undefined,
      (thrown: unknown) => FsError.from(thrown),
    ),
  );
  return { error, ms };
}

t.test('a mount whose control plane falls silent shows what is kept, and nothing in it hangs', async (t) => {
  const plane = await HostilePlane.start(t, HONEST);
  const tree = new RemoteTree({ url: plane.url, token: 'any' });
  t.teardown(() => tree.close());
  await tree.start(5000);
  const writing = await open(tree, '/live', READ_WRITE);
  await walk(tree.vfs.root, '/kept', op());
  plane.answering = () => 'no answer';
  plane.answersHello = false;
  const read = failing(open(tree, '/live'));
  const call = failing(Promise.resolve(writing.write(0, Buffer.from('{}\n'), op())));
  const { error, ms } = await read;
  t.match(error, { code: 'EHOSTDOWN' });
  t.ok(ms < 6000, `a read was stuck for ${ms} ms`);
  const next = await failing(open(tree, '/live'));
  t.match(next.error, { code: 'EHOSTDOWN' });
  t.ok(next.ms < 1500, 'the next is not stuck at all');
  t.match(await Promise.resolve(tree.vfs.root.lookup('kept', op())), { kind: 'file' });
  const called = await call;
  t.match(called.error, { code: 'EHOSTDOWN', hint: /jobs\/by-key/ });
  t.ok(called.ms < 8000, `the call said so after ${called.ms} ms`);
  t.equal(plane.asked.filter(({ what }) => what === 'write').length, 1);
});
