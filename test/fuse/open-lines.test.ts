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
function openNode(lines: OpenLines, ref: NodeRef): () => void {
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
  openNode(lines, kept!);
  for (let count = 0; count < 10; count++) {
    const close = openNode(lines, ref!);
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
    const close = openNode(lines, ref!);
    openNode(lines, other!);
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
    openNode(lines, ref!)();
    await both[1];
    t.same(order, ['first', 'second']);
  },
);

t.test('nobody stands in line for what stays open for long, nor for what nobody has open', async (t) => {
  const slow = calls(1000).lines;
  const [ref, closed] = nodeRefs(2);
  openNode(slow, ref!);
  t.equal(slow.stand(ref!, never), undefined);
  const quick = calls(1).lines;
  openNode(quick, closed!)();
  t.equal(quick.stand(closed!, never), undefined);
  const idle = calls(1, false).lines;
  openNode(idle, ref!);
  t.equal(idle.stand(ref!, never), undefined, 'nor where there is time to spare');
});

t.test('when many have a file open for a short time each, the shortest line is shown', async (t) => {
  const { ino } = document;
  const { lines, pass } = calls(1);
  const open: NodeRef[] = [];
  for (const ref of nodeRefs(24)) {
    if (lines.best(ino) !== undefined) break;
    openNode(lines, ref);
    open.push(ref);
  }
  t.ok(open.length > 2 && open.length < 24, `${open.length} and one are open`);
  const first = lines.best(ino)!;
  t.equal(first, open.at(-1), 'that of what was opened last, where no other is much shorter');
  lines.stand(first, never);
  t.equal(lines.best(ino), first);
  for (let count = 0; count < 10; count++) lines.stand(first, never);
  const second = lines.best(ino)!;
  t.not(second, first);
  t.equal(lines.best(ino), second, 'and it stays with that');
  pass(1000);
  t.equal(lines.best(ino), undefined, 'nobody waits for what stays open');
});

t.test('who stands in a line that does not move is sent on', async (t) => {
  const { lines, pass } = calls(1);
  const [stuck, moving] = nodeRefs(2);
  openNode(lines, stuck!);
  const close = openNode(lines, moving!);
  const inVain = lines.stand(stuck!, never)!;
  const all = Array.from({ length: 5 }, async () => {
    t.equal(await lines.stand(moving!, never), true);
    moving!.opening -= 1;
    pass(30);
    openNode(lines, moving!)();
  });
  close();
  await Promise.all(all);
  t.equal(await inVain, false);
});

t.test('who gives up leaves the line', async (t) => {
  const { lines } = calls(1);
  const [ref] = nodeRefs(1);
  const close = openNode(lines, ref!);
  const abort = new AbortController();
  const gone = lines.stand(ref!, abort.signal)!;
  const next = lines.stand(ref!, never)!;
  abort.abort();
  await t.rejects(gone);
  close();
  t.equal(await next, true);
});
