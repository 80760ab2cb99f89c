import { FsError, lendBytes, traceparentFrom } from '../../../core/index.js';
import { principalOf } from '../../../policy/index.js';
import { MAX_READ_BYTES, type FsReply } from '../../../protocol/index.js';
import {
  chain,
  needsFlush,
  seekIn,
  type Awaitable,
  type Created,
  type FileHandle,
  type FileNode,
  type OpenFlags,
  type Op,
  type Stat,
} from '../../../vfs/index.js';
import { openBudget } from '../open-budget.js';
import { ServedHandle } from '../served-handle.js';
import { ServedOp } from '../served-op.js';
import { MAX_HANDLES, type ServedSession } from '../served-session.js';
import { attributesFromStat, modeOfOpenFlags, openFlagsFromWire } from '../../wire/wire-stat.js';
import {
  asDir,
  asFile,
  handleOf,
  nodeOf,
  NOTHING,
  required,
  type Handlers,
  type ServedReply,
  type ServedRequest,
  type Server,
} from './handler.js';

/** What opens files and works on what is open. */
export const contentHandlers = {
  open({ peer, frame, payload, op, server }) {
    const known = nodeOf(peer, frame);
    const node = asFile(known.node);
    const flags = openFlagsFromWire(payload);
    const inline = flags.read && !flags.write ? Math.min(payload.inline ?? 0, server.limits.dataBytes) : 0;
    return chain(node.open(flags, op), (handle) => {
      const number = keep(peer, server, handle, { flags, node: known.number }, op);
      return orGiveBack(peer, number, () =>
        chain(handle.stat(op), (stat): Awaitable<ServedReply<FsReply<'open'>>> => {
          const fixed = !flags.write && (handle.fixed ?? node.freshness === 'announced');
          const reply: FsReply<'open'> = {
            handle: number,
            mode: modeOfOpenFlags(flags),
            direct: handle.direct,
            fixed,
            attr: attributesFromStat(stat, node.freshness),
            ...(flags.write
              ? { flush: needsFlush(handle), ...bareOf(node, op) }
              : handle.identity === undefined
                ? {}
                : { identity: handle.identity }),
          };
          if (inline === 0 || handle.revocable === true) return { payload: reply };
          // One more than there should be says whether there are no more.
          const count = Math.min(inline, stat.size + 1);
          return chain(handle.read(0, count, op), (data) => {
            reply.eof = data.byteLength < count;
            if (!fixed || data.byteLength !== stat.size) return { payload: reply, data };
            // A whole snapshot needs no descriptor here: that spares the peer a close.
            reply.closed = true;
            return chain(giveBack(peer, number), () => ({ payload: reply, data }));
          });
        }),
      );
    });
  },

  async create(request) {
    const { peer, frame, payload, op } = request;
    const flags = flagsToMake(payload);
    const directory = asDir(nodeOf(peer, frame).node);
    op.masked = payload.masked;
    const created = await directory.create(payload.name, flags, (payload.perm ?? 0o644) & 0o7777, op);
    return replyOf(request, created, flags, payload.name);
  },

  async tmpfile(request) {
    const { peer, frame, payload, op } = request;
    const flags = flagsToMake(payload);
    const directory = asDir(nodeOf(peer, frame).node);
    if (directory.tmpfile === undefined) throw new FsError('EOPNOTSUPP', 'A file must have a name here.');
    op.masked = payload.masked;
    const created = await directory.tmpfile(flags, (payload.perm ?? 0o644) & 0o7777, op);
    return replyOf(request, created, flags, NAMELESS);
  },

  read({ peer, frame, payload, op, server }) {
    const served = handleOf(peer, frame);
    if (!served.readable) throw new FsError('EBADF', 'The handle is not open for reading.');
    const count = Math.min(payload.count, MAX_READ_BYTES, server.limits.dataBytes);
    const { handle } = served;
    if (handle.readInto === undefined)
      return chain(
        served.use(() => handle.read(payload.offset, count, op)),
        (data) => ({ payload: { eof: data.byteLength < count }, data }),
      );
    const { bytes, giveBack: onSpent } = lendBytes(count);
    return chain(
      served.use(() => handle.readInto?.(payload.offset, bytes, op) ?? 0),
      (got) => ({ payload: { eof: got < count }, data: bytes.subarray(0, got), onSpent }),
    );
  },

  write({ peer, frame, payload, data, op }) {
    const served = handleOf(peer, frame);
    if (!served.writable) throw new FsError('EBADF', 'The handle is not open for writing.');
    if (data === undefined) required('data_b64');
    op.traceparent = traceparentFrom(payload.traceparent) ?? undefined;
    return chain(served.write(payload.offset, data, op), (count) => {
      const reply: FsReply<'write'> = { count, flush: needsFlush(served.handle) };
      if (payload.attr !== true) return { payload: reply };
      const { freshness } = peer.nodes.get(served.node).node;
      return chain(attributesOrNone(served.handle, op), (stat) => ({
        payload: stat === undefined ? reply : { ...reply, attr: attributesFromStat(stat, freshness) },
      }));
    });
  },

  flush({ peer, frame, op }) {
    return chain(handleOf(peer, frame).flush(op), () => NOTHING);
  },

  async fsync({ peer, frame, payload, op }) {
    if (frame.h === undefined) {
      await asDir(nodeOf(peer, frame).node).fsync(op);
    } else {
      const served = peer.handle(frame.h);
      await served.inOrder(() => served.handle.fsync(payload.data_only ?? false, op));
    }
    return { payload: {} };
  },

  seek({ peer, frame, payload, op }) {
    const served = handleOf(peer, frame);
    const { offset, what } = payload;
    const found = served.inOrder(() => seekIn(served.handle, offset, what, op));
    return chain(found, (at) => ({ payload: { offset: at } }));
  },

  async allocate({ peer, frame, payload, op }) {
    const served = handleOf(peer, frame);
    const { mode, offset, length } = payload;
    await served.inOrder(() => served.handle.allocate(mode, offset, length, op));
    return { payload: {} };
  },

  async await({ peer, frame, payload, op }) {
    const served = handleOf(peer, frame);
    if (!served.readable) throw new FsError('EBADF', 'The handle is not open for reading.');
    const changed = await served.awaitChange(payload.offset, op);
    const session = peer.sessionOf();
    // It may have waited for long: what the session may see now is what counts.
    if (session !== op.session)
      await served.handle.stat(new ServedOp(session, true, op.moment, op.remoteUid));
    return { payload: { changed } };
  },

  async lock({ peer, frame, payload, op, server: { locks } }) {
    const served = handleOf(peer, frame);
    // Whoever may no longer look at the file learns nothing of who locks it.
    await served.handle.stat(op);
    const { ino } = peer.nodes.get(served.node).node;
    if (payload.kind === 'unlock') locks.unlock(ino, served);
    else {
      served.whenReleased = () => locks.unlock(ino, served);
      await locks.lock(ino, served, payload.kind, payload.wait ?? false, op);
      if (served.released) locks.unlock(ino, served);
    }
    return { payload: {} };
  },

  async close({ peer, frame, payload, op }) {
    const h = frame.h ?? required('h');
    for (const number of payload.more ?? []) {
      const other = peer.handles.get(number);
      peer.handles.delete(number);
      other?.close(op).catch(() => undefined); // whoever gives back many at once does not ask what came of it
    }
    const served = peer.handle(h);
    peer.handles.delete(h);
    await served.close(op);
    return { payload: {} };
  },
} satisfies Partial<Handlers>;

function flagsToMake(wire: { mode?: 'r' | 'w' | 'rw' | undefined; flags?: number | undefined }): OpenFlags {
  return openFlagsFromWire(wire.mode === undefined && wire.flags === undefined ? { mode: 'rw' } : wire);
}

/** No entry has this name. */
const NAMELESS = '';

async function replyOf(
  { peer, frame, op, server }: Pick<ServedRequest<'create' | 'tmpfile'>, 'peer' | 'frame' | 'op' | 'server'>,
  created: Created,
  flags: OpenFlags,
  name: string,
): Promise<ServedReply<FsReply<'create'>>> {
  const node = peer.nodes.numberOf(created.node, nodeOf(peer, frame).number, name, op.moment);
  const handle = keep(peer, server, created.handle, { flags, node }, op);
  return {
    payload: {
      node,
      handle,
      mode: modeOfOpenFlags(flags),
      direct: created.handle.direct,
      fixed: false,
      attr: attributesFromStat(await created.handle.stat(op), created.node.freshness),
      flush: needsFlush(created.handle),
      ...bareOf(created.node, op),
    },
  };
}

/** What was written stays written, whether or not it can be looked at. */
function attributesOrNone(handle: FileHandle, op: Op): Awaitable<Stat | undefined> {
  try {
    const stat = handle.stat(op);
    return stat instanceof Promise ? stat.catch(() => undefined) : stat;
  } catch {
    return undefined;
  }
}

/** Who writes to a file asks first for attributes that a write takes away. */
function bareOf(node: FileNode, op: Op): { bare?: true } {
  return node.freshness === 'shared' && node.isBare?.(op) === true ? { bare: true } : {};
}

function keep(
  peer: ServedSession,
  server: Server,
  handle: FileHandle,
  { flags, node }: { readonly flags: OpenFlags; readonly node: number },
  op: Op,
): number {
  try {
    if (peer.handles.size >= MAX_HANDLES)
      throw new FsError('EMFILE', 'This connection has too many files open.', {
        hint: 'Close some (t_fs_close).',
      });
    const counted = openBudget.take(principalOf(op.session), handle.holds);
    const number = server.newHandle();
    peer.handles.set(number, new ServedHandle(handle, node, flags, counted));
    return number;
  } catch (thrown) {
    void Promise.resolve(handle.release()).catch(() => undefined);
    throw thrown;
  }
}

function giveBack(peer: ServedSession, number: number): Awaitable<void> {
  const served = peer.handles.get(number);
  peer.handles.delete(number);
  return served?.release();
}

/** The handle of a request that fails is nobody's. */
function orGiveBack<T>(peer: ServedSession, number: number, work: () => Awaitable<T>): Awaitable<T> {
  const failed = async (thrown: unknown): Promise<never> => {
    await giveBack(peer, number);
    throw thrown;
  };
  try {
    const answer = work();
    return answer instanceof Promise ? answer.catch(failed) : answer;
  } catch (thrown) {
    return failed(thrown);
  }
}
