import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { silentLog, systemClock } from '../../lib/core/index.js';
import { CallProcess } from '../../lib/drivers/native-proc/call-process.js';
import type { FileNode } from '../../lib/vfs/index.js';
import { Up } from '../support/acheron.js';
import { extent } from '../support/extent.js';
import { heapBytes } from '../support/garbage.js';
import { createMemoryVfs } from '../support/memory-vfs.js';
import { op, READ } from '../support/ops.js';
import { hasPassthrough, untilPassedThrough } from '../support/passed-through.js';
import { descriptor, FACTS, storeFor } from '../support/store.js';
import { temporaryDir } from '../support/test-node.js';
import { tunnelled } from '../support/tunnelled.js';

const OPERATIONS = extent('ACHERON_ENDURANCE_OPERATIONS', { short: 10_000, long: 1_000_000 });
/** Each of these is a process of its own. */
const STARTS = extent('ACHERON_ENDURANCE_STARTS', { short: 1_000, long: 100_000 });
const AT_ONCE = 16;
/** Descriptors of a thread that this process may have begun meanwhile. */
const OF_A_THREAD = 5;
const MAX_GROWTH_BYTES = 2 * 1024 * 1024;
t.setTimeout(60 * 60 * 1000);

/** What `rounds` rounds of `work` leave on the heap of this process, once it has warmed up. */
async function growthOf(rounds: number, work: (round: number) => Promise<void>): Promise<number> {
  const warm = Math.max(20, Math.ceil(rounds / 10));
  for (let round = 0; round < warm; round++) await work(round);
  const before = heapBytes();
  for (let round = 0; round < rounds; round++) await work(warm + round);
  return heapBytes() - before;
}

t.test(`${OPERATIONS} registrations in transactions that they share leave nothing in memory`, async (t) => {
  // Few events are kept, so that there are as many of them before as after.
  const { store } = storeFor(t, { retention: { maxEvents: 200 } });
  const nodes = Array.from({ length: AT_ONCE }, (_, n) => {
    const nodeName = `n${n}`;
    return store.change(() => store.nodes.join({ ...FACTS, nodeName }, 60_000)).nodeId;
  });
  const register = (nodeId: string, round: number): Promise<unknown> =>
    store.commit(() => {
      const holder = { instance_id: 'i', address: '127.0.0.1', connected_at_ms: round, software: null };
      store.nodes.claim(nodeId, holder);
      return store.nodes.upsert(nodeId, [descriptor('a', { version: String(round % 4) }), descriptor('b')]);
    });
  const grown = await growthOf(Math.ceil(OPERATIONS / AT_ONCE), async (round) => {
    await Promise.all(nodes.map((nodeId) => register(nodeId, round)));
  });
  t.ok(grown < MAX_GROWTH_BYTES, `${grown} bytes`);
});

t.test(`${STARTS} programs leave neither memory nor descriptors nor processes`, async (t) => {
  const command = { file: '/bin/cat', args: [], cwd: '/', env: { PATH: '/usr/bin:/bin' }, ids: null };
  const call = async (): Promise<void> => {
    const started = new CallProcess(command, { ledger: null, clock: systemClock, log: silentLog });
    const end = await started.run({
      ...{ stdin: Buffer.from('hello'), timeoutMs: 60_000, limitMs: 60_000, killGraceMs: 1_000 },
      ...{ maxOutputBytes: 1000, signal: new AbortController().signal, onOutput: () => undefined },
    });
    if (Buffer.from(end.stdout).toString() !== 'hello') throw new Error(`It ended otherwise: ${end.how}.`);
  };
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const children = (): string => readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
  const callAtOnce = async (): Promise<void> => {
    await Promise.all(Array.from({ length: AT_ONCE }, call));
  };
  for (let n = 0; n < AT_ONCE; n++) await callAtOnce();
  const before = descriptors();
  const grown = await growthOf(Math.ceil(STARTS / AT_ONCE), callAtOnce);
  t.ok(grown < MAX_GROWTH_BYTES, `${grown} bytes`);
  const left = descriptors() - before;
  t.ok(left <= OF_A_THREAD, `${left} descriptors more`);
  t.equal(children(), '');
});

t.test(`${OPERATIONS} reads and writes of another machine's files leave nothing in memory`, async (t) => {
  const vfs = createMemoryVfs();
  const { remote } = await tunnelled(t, vfs, { through: 'ws' });
  const flags = { ...READ, write: true };
  const created = await remote.root.create('file', flags, 0o644, op());
  await created.handle.release();
  const data = Buffer.alloc(10_000, 'x');
  const file = (await remote.root.lookup('file', op())) as FileNode;
  const grown = await growthOf(Math.ceil(OPERATIONS / 2), async (round) => {
    const handle = await file.open(flags, op());
    await handle.write(round % 1000, data, op());
    const got = await handle.read(round % 1000, data.byteLength, op());
    if (got.byteLength !== data.byteLength) throw new Error(`${got.byteLength} bytes came.`);
    await handle.release();
  });
  t.ok(grown < MAX_GROWTH_BYTES, `${grown} bytes`);
});

const skip = hasPassthrough() ? false : 'there is no passthrough: Linux 6.9, and root';
t.test(
  `${OPERATIONS} files that the kernel reads and writes itself leave nothing in the node`,
  { skip },
  async (t) => {
    const real = temporaryDir(t);
    mkdirSync(join(real, 'in'));
    const up = await Up.start(t, { args: ['--export', `data=${real}:rw`] });
    await untilPassedThrough(up);
    const path = join(up.dir, 'nodes/local/fs/data/in/file');
    const data = Buffer.alloc(100_000, 'x');
    const turn = (): void => {
      const fd = openSync(path, 'w+');
      writeSync(fd, data, 0, data.byteLength, 0);
      readSync(fd, data, 0, data.byteLength, 0);
      if (fstatSync(fd).size !== data.byteLength) throw new Error('It has another size.');
      closeSync(fd);
    };
    const held = (): { resident: number; descriptors: number } => ({
      resident:
        Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${up.child.pid}/status`, 'utf8'))![1]) * 1024,
      descriptors: readdirSync(`/proc/${up.child.pid}/fd`).length,
    });
    for (let n = 0; n < OPERATIONS / 20; n++) turn();
    const before = held();
    for (let n = 0; n < OPERATIONS / 2; n++) turn();
    const after = held();
    t.comment(JSON.stringify({ before, after }));
    t.ok(after.resident - before.resident < 24 * 1024 * 1024, `${after.resident - before.resident} bytes`);
    t.ok(Math.abs(after.descriptors - before.descriptors) <= 4, 'backing files are given back');
  },
);
