import t from 'tap';
import { InodeTable, type NodeRef } from '../../lib/fuse/vfs-bridge/inode-table.js';
import { OpenLines } from '../../lib/fuse/vfs-bridge/open-lines.js';
import { Document, MapDir } from '../../lib/vfs/index.js';

const document = new Document(() => ({ bytes: Buffer.from('x'), mtimeNs: 0n }), { freshness: 'live' });
const table = new InodeTable(new MapDir(new Map()));
const never = new AbortController().signal;

/** Nodes of one file. */
function nodeRefs(count: number): NodeRef[] {
  return Array.from({ length: count }, () => table.refer(table.root, 'talk', document, () => false));
}

/** As the bridge does. */
function open(lines: OpenLines, ref: NodeRef): () => void {
  const file = { ref, handle: undefined as never, isOver: false };
  ref.files.add(file);
  lines.opened(ref);
  return () => {
    ref.files.delete(file);
    lines.released(ref);
  };
}

/** Descriptors that stay open for `ms` each, one of them still open, so that what is known of the file is kept. */
function calls(ms: number, isBusy = true): { lines: OpenLines; pass: (ms: number) => void } {
  let nowMs = 0;
  const lines = new OpenLines(
    () => nowMs,
    () => isBusy,
  );
  const pass = (passedMs: number): void => void (nowMs += passedMs);
  const [kept, ref] = nodeRefs(2);
  open(lines, kept!);
  for (let count = 0; count < 10; count++) {
    const close = open(lines, ref!);
    pass(ms);
    close();
  }
  return { lines, pass };
}

t.test(
  'of those who wait for a node the first has it once it is closed, and the next after it',
  async (t) => {
    const { lines } = calls(1);
    const [ref, other] = nodeRefs(2);
    const close = open(lines, ref!);
    open(lines, other!);
    const order: string[] = [];
    const stand = async (name: string): Promise<void> => {
      t.equal(await lines.stand(ref!, never), true);
      order.push(name);
    };
    const both = [stand('first'), stand('second')];
    close();
    t.equal(ref!.inUse, true, 'nobody else takes it');
    await both[0];
    t.same(order, ['first']);
    ref!.opening -= 1;
    open(lines, ref!)();
    await both[1];
    t.same(order, ['first', 'second']);
  },
);

t.test('nobody stands in line for what stays open for long, nor for what nobody has open', async (t) => {
  const slow = calls(1000).lines;
  const [ref, closed] = nodeRefs(2);
  open(slow, ref!);
  t.equal(slow.stand(ref!, never), undefined);
  const quick = calls(1).lines;
  open(quick, closed!)();
  t.equal(quick.stand(closed!, never), undefined);
  const idle = calls(1, false).lines;
  open(idle, ref!);
  t.equal(idle.stand(ref!, never), undefined, 'nor where there is time to spare');
});

t.test('a file is crowded when many have it open for a short time each', async (t) => {
  const { ino } = document;
  const { lines, pass } = calls(1);
  const closers: (() => void)[] = [];
  for (const ref of nodeRefs(24)) if (!lines.isCrowded(ino)) closers.push(open(lines, ref));
  t.ok(closers.length > 2 && closers.length < 24, `${closers.length} and one are open`);
  pass(1000);
  closers.pop()!();
  t.notOk(lines.isCrowded(ino), 'and not when they stay');
});

t.test('who stood in line in vain is sent on, and for a while nobody does again', async (t) => {
  const { lines, pass } = calls(1);
  const [ref] = nodeRefs(1);
  open(lines, ref!);
  const standing = lines.stand(ref!, never)!;
  pass(200);
  t.equal(await standing, false);
  t.equal(lines.stand(ref!, never), undefined);
  pass(2000);
  t.ok(lines.stand(ref!, AbortSignal.timeout(0))?.catch(() => undefined));
});

t.test('who gives up leaves the line', async (t) => {
  const { lines } = calls(1);
  const [ref] = nodeRefs(1);
  const close = open(lines, ref!);
  const abort = new AbortController();
  const gone = lines.stand(ref!, abort.signal)!;
  const next = lines.stand(ref!, never)!;
  abort.abort();
  await t.rejects(gone);
  close();
  t.equal(await next, true);
});
