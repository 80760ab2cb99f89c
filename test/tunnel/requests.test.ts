import t, { type Test } from 'tap';
import { Emitter, FsError } from '../../lib/core/index.js';
import {
  BaseFile,
  Document,
  documentStat,
  MapDir,
  newIno,
  ReadOnlyHandle,
  walk,
  type Change,
  type FileHandle,
  type FileNode,
  type Node,
  type Stat,
  type Vfs,
} from '../../lib/vfs/index.js';
import { codeOf } from '../support/access.js';
import { op, READ, WRITE } from '../support/ops.js';
import { tunnelled } from '../support/tunnelled.js';
import { until } from '../support/until.js';

/** A control file that takes lines, and is in the midst of one where a write does not end it. */
class Lines extends BaseFile {
  readonly ino = newIno();
  override readonly freshness = 'live' as const;
  override readonly perOpen = true;
  flushes = 0;
  stat(): Stat {
    return documentStat(this.ino, 0o644, { bytes: new Uint8Array(0), mtimeNs: 0n });
  }
  open(): FileHandle {
    return new LinesHandle(this);
  }
}

class LinesHandle extends ReadOnlyHandle {
  readonly #file: Lines;
  needsFlush = false;
  constructor(file: Lines) {
    super();
    this.#file = file;
  }
  stat(): Stat {
    return this.#file.stat();
  }
  read(): Uint8Array {
    return new Uint8Array(0);
  }
  override write(_at: number, data: Uint8Array): number {
    this.needsFlush = data.at(-1) !== 0x0a;
    return data.byteLength;
  }
  flush(): void {
    this.#file.flushes++;
    if (this.needsFlush) throw new FsError('EINVAL', 'The line has no end.');
  }
}

/** The tree behind a connection on which all that is asked is written down. */
async function asked(t: Test, entries: readonly [string, Node][]) {
  return askedOf(t, {
    root: new MapDir(new Map(entries)),
    changes: new Emitter<Change>(),
    close: async () => undefined,
  });
}

async function askedOf(t: Test, tree: Vfs) {
  const requests: string[] = [];
  const tunnel = await tunnelled(t, tree, {
    through: 'memory',
    binary: false,
    wrap: (transport, end) => {
      const send = transport.send.bind(transport);
      if (end === 'client')
        transport.send = (message) => {
          const type = typeof message === 'string' ? /"acheron\.t_fs_(\w+)"/.exec(message)?.[1] : undefined;
          if (type !== undefined) requests.push(type);
          send(message);
        };
      return transport;
    },
  });
  const file = async (name: string): Promise<FileNode> =>
    (await walk(tunnel.remote.root, name, op())) as FileNode;
  return { ...tunnel, file, requests: () => requests.splice(0), counted: () => requests.length };
}

t.test('a live file is read with one request', async (t) => {
  const clock = new Document(() => ({ bytes: Buffer.from('now\n'), mtimeNs: 0n }), { freshness: 'live' });
  const { file, requests } = await asked(t, [['clock', clock]]);
  await file('clock');
  requests();
  const handle = await (await file('clock')).open(READ, op());
  t.equal(Buffer.from(await handle.read(0, 4096, op())).toString(), 'now\n');
  await handle.release();
  t.strictSame(requests(), ['open']);
});

t.test('by way of another, it is one request on each leg', async (t) => {
  const clock = new Document(() => ({ bytes: Buffer.from('now\n'), mtimeNs: 0n }), { freshness: 'live' });
  const lines = new Lines();
  const far = await asked(t, [
    ['clock', clock],
    ['lines', lines],
  ]);
  const near = await askedOf(t, far.remote);
  await near.file('clock');
  await near.file('lines');
  far.requests();
  near.requests();
  const reader = await (await near.file('clock')).open(READ, op());
  t.equal(Buffer.from(await reader.read(0, 4096, op())).toString(), 'now\n');
  await reader.release();
  const writer = await (await near.file('lines')).open(WRITE, op());
  await writer.write(0, Buffer.from('a line\n'), op());
  await writer.flush?.(op());
  await writer.release();
  await until(() => far.counted() === 4);
  t.strictSame(near.requests(), ['open', 'open', 'write', 'close']);
  t.strictSame(far.requests(), ['open', 'open', 'write', 'close']);
});

t.test(
  'a control file is opened and written with one request each, and closed without waiting',
  async (t) => {
    const lines = new Lines();
    const { file, requests } = await asked(t, [['lines', lines]]);
    await file('lines');
    requests();
    const node = await file('lines');
    t.equal(node.perOpen, true, 'a caller that looks it up again knows what kind of file it is');
    const handle = await node.open(WRITE, op());
    await handle.flush?.(op());
    t.equal((await handle.stat(op())).mode, 0o644);
    await t.rejects(async () => node.getxattr('security.capability', op()), { code: 'ENODATA' });
    await handle.write(0, Buffer.from('a line\n'), op());
    await handle.flush?.(op());
    await handle.release();
    t.strictSame(requests(), ['open', 'write', 'close']);
  },
);

t.test('a flush is asked for where the last write left something to report', async (t) => {
  const lines = new Lines();
  const { file, requests } = await asked(t, [['lines', lines]]);
  const handle = await (await file('lines')).open(WRITE, op());
  await handle.write(0, Buffer.from('no end'), op());
  t.equal(await codeOf(Promise.resolve(handle.flush?.(op()))), 'EINVAL');
  t.equal(lines.flushes, 1);
  await handle.write(6, Buffer.from('\n'), op());
  t.equal(handle.needsFlush, false);
  requests();
  await handle.flush?.(op());
  t.strictSame(requests(), []);
});

t.test('what came with the open is not shown once the session lost its right', async (t) => {
  let allowed = true;
  class Guarded extends Lines {
    override open(): FileHandle {
      return new GuardedLines(this);
    }
  }
  class GuardedLines extends LinesHandle {
    override read(): Uint8Array {
      if (!allowed) throw new FsError('ENOENT', 'There is no such thing.');
      return Buffer.from('secret');
    }
    override stat(): Stat {
      if (!allowed) throw new FsError('ENOENT', 'There is no such thing.');
      return super.stat();
    }
  }
  const { file, served } = await asked(t, [['guarded', new Guarded()]]);
  const handle = await (await file('guarded')).open(READ, op());
  allowed = false;
  await served().sessionChanged();
  t.equal(await codeOf(Promise.resolve(handle.read(0, 6, op()))), 'ENOENT');
  t.equal(await codeOf(Promise.resolve(handle.stat(op()))), 'ENOENT');
});
