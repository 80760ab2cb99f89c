import t from 'tap';
import { silentLog } from '../../lib/core/index.js';
import { attributeHandlers } from '../../lib/fuse/vfs-bridge/attributes.js';
import { directoryHandlers } from '../../lib/fuse/vfs-bridge/directories.js';
import { fileHandlers } from '../../lib/fuse/vfs-bridge/files.js';
import { nameHandlers } from '../../lib/fuse/vfs-bridge/names.js';
import { MountState } from '../../lib/fuse/vfs-bridge/mount-state.js';
import { structs as s, type Notifier } from '../../lib/fuse/kernel/index.js';
import { localSession } from '../../lib/policy/index.js';
import { createBridgeTree } from '../support/bridge-tree.js';
import { SEED, extent } from '../support/extent.js';
import { Random } from '../support/random.js';
import { connected, pack, request, text, type Reply } from './kernel/protocol-fixture.js';

const REQUESTS = extent('ACHERON_ENDURANCE_OPERATIONS', { short: 120_000, long: 1_000_000 });
t.setTimeout(30_000 + REQUESTS);
/** Writes to these wait for somebody, keep the thread busy, or end the process. */
const NOT_WRITTEN = new Set(['barrier', 'wait', 'busy', 'gate', 'crash']);

const DOCUMENTS = Array.from({ length: 30 }, (_, i) => `doc${i}`);
const NAMES = ['gone', 'taken', 'waits', 'announced', 'nothing', ...DOCUMENTS];

const op = { session: localSession('admin'), signal: new AbortController().signal };

/** What a kernel remembers. */
class Kernel {
  readonly lookups = new Map<number, number>();
  readonly files: [nodeid: number, fh: bigint][] = [];
  most = 0;

  isOpen(nodeid: number): boolean {
    return this.files.some(([open]) => open === nodeid);
  }

  answered(entry: Buffer): void {
    const nodeid = Number(entry.readBigUInt64LE(s.fuse_entry_out.at.nodeid));
    if (nodeid === 0) return;
    this.lookups.set(nodeid, (this.lookups.get(nodeid) ?? 0) + 1);
    this.most = Math.max(this.most, this.lookups.size);
  }

  answeredList(list: Buffer): void {
    const header = s.fuse_entry_out.byteLength;
    for (let at = 0; at < list.byteLength;) {
      this.answered(list.subarray(at));
      const length = list.readUInt32LE(at + header + s.fuse_dirent.at.namelen);
      at += Math.ceil((header + s.fuse_dirent.byteLength + length) / 8) * 8;
    }
  }
}

t.test(`${REQUESTS} requests, forgotten as a kernel forgets, leave nothing`, async (t) => {
  const session = localSession('admin');
  const vfs = createBridgeTree();
  const quiet = { now: () => true, later: () => undefined, settled: () => undefined };
  const mount = new MountState(vfs, quiet as unknown as Notifier, {
    sessionOf: () => session,
    owner: { uid: 0, gid: 0 },
    allowedUids: null,
    log: silentLog,
  });
  vfs.changes.on((change) => mount.invalidation.apply(change));
  const { say, replies, state } = connected({
    ...nameHandlers(mount),
    ...fileHandlers(mount),
    ...directoryHandlers(mount),
    ...attributeHandlers(mount),
  });
  const kernel = new Kernel();
  const random = new Random(SEED);
  const ask = async (bytes: Buffer): Promise<Reply | undefined> => {
    const refused = state.refusals;
    say(bytes);
    while (replies.length === 0 && (refused === 0 || state.refusals > 0)) await new Promise(setImmediate);
    return replies.splice(0)[0];
  };

  for (let i = 0; i < REQUESTS; i++) {
    // The kernel refuses the answer to a caller that gave up meanwhile.
    const unwanted = random.below(20) === 0;
    const refuse = (): void => void (state.refusals = unwanted ? 1 : 0);
    const nodeid = random.of([1, ...kernel.lookups.keys()]);
    const header = { nodeid, pid: 1 + random.below(3), unique: 2 * i + 2 };
    switch (random.below(9)) {
      case 0:
      case 1: {
        refuse();
        const reply = await ask(request('FUSE_LOOKUP', text(random.of(NAMES)), header));
        if (reply?.error === 0) kernel.answered(reply.body);
        break;
      }
      case 2: {
        refuse();
        const write = random.below(2);
        const reply = await ask(request('FUSE_OPEN', pack(s.fuse_open_in, { flags: write }), header));
        if (reply?.error === 0) kernel.files.push([nodeid, reply.body.readBigUInt64LE(0)]);
        break;
      }
      case 3: {
        refuse();
        const reply = await ask(request('FUSE_OPENDIR', pack(s.fuse_open_in, {}), header));
        if (reply?.error !== 0) break;
        const fh = reply.body.readBigUInt64LE(0);
        if (random.below(10) === 0) state.refusals = 1;
        const listed = await ask(
          request('FUSE_READDIRPLUS', pack(s.fuse_read_in, { fh, size: 4096 }), header),
        );
        if (listed?.error === 0) kernel.answeredList(listed.body);
        await ask(request('FUSE_RELEASEDIR', pack(s.fuse_release_in, { fh }), header));
        break;
      }
      case 4: {
        const at = random.below(kernel.files.length);
        const file = kernel.files[at];
        if (file === undefined) break;
        kernel.files.splice(at, 1);
        await ask(
          request('FUSE_RELEASE', pack(s.fuse_release_in, { fh: file[1] }), { ...header, nodeid: file[0] }),
        );
        break;
      }
      case 5: {
        await change(`${random.of(['remove ', ''])}${random.of(DOCUMENTS)} ${i}`);
        break;
      }
      case 6: {
        // A live file that was written to gives each caller a node of its own.
        const file = kernel.files[random.below(kernel.files.length)];
        if (file === undefined || NOT_WRITTEN.has(mount.nodes.get(file[0])?.name ?? '')) break;
        const write = pack(s.fuse_write_in, { fh: file[1], size: 1 });
        await ask(
          request('FUSE_WRITE', Buffer.concat([write, Buffer.from('x')]), { ...header, nodeid: file[0] }),
        );
        break;
      }
      default: {
        if (random.below(4) > 0 || kernel.isOpen(nodeid) || nodeid === 1) break;
        const nlookup = BigInt(kernel.lookups.get(nodeid)!);
        kernel.lookups.delete(nodeid);
        say(request('FUSE_FORGET', pack(s.fuse_forget_in, { nlookup }), header));
      }
    }
  }
  t.comment(`${kernel.most} nodes at the most`);
  t.ok(kernel.most > 15, 'it was busy');

  for (const [nodeid, fh] of kernel.files)
    await ask(request('FUSE_RELEASE', pack(s.fuse_release_in, { fh }), { nodeid }));
  const ones = [...kernel.lookups].map(([nodeid, count]) =>
    pack(s.fuse_forget_one, { nodeid: BigInt(nodeid), nlookup: BigInt(count) }),
  );
  say(
    request(
      'FUSE_BATCH_FORGET',
      Buffer.concat([pack(s.fuse_batch_forget_in, { count: ones.length }), ...ones]),
    ),
  );
  t.equal(mount.nodes.size, 1, 'only the root is left');
  t.equal(mount.files.size, 0);
  t.equal(mount.dirs.size, 0);

  async function change(line: string): Promise<void> {
    const found = await vfs.root.lookup('set', op);
    if (found.kind !== 'file') throw new TypeError('It is a file.');
    const handle = await found.open(
      { read: false, write: true, append: false, truncate: false, exclusive: false },
      op,
    );
    await handle.write(0, Buffer.from(line), op);
  }
});
