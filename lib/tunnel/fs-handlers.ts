import { FsError } from '../core/index.js';
import {
  bytesFromBase64,
  MAX_READ_BYTES,
  MAX_XATTR_BYTES,
  ProtocolFault,
  ROOT_NODE,
  type AcheronEnvelope,
  type FsMessageName,
  type FsReply,
  type FsRequest,
  type WireEntry,
  type WireNode,
} from '../protocol/index.js';
import {
  namesOfPath,
  type Awaitable,
  type DirEntry,
  type DirNode,
  type FileHandle,
  type FileNode,
  type Freshness,
  type Node,
  type Op,
  type OpenFlags,
} from '../vfs/index.js';
import type { ExportEntry } from './exports-of-tree.js';
import type { KnownNode } from './node-table.js';
import { ServedHandle } from './served-handle.js';
import type { ServedOp } from './served-op.js';
import { MAX_HANDLES, type ServedView } from './served-view.js';
import {
  attributesFromStat,
  changeFromWire,
  modeOfOpenFlags,
  openFlagsFromWire,
  wireFromStatFs,
} from './wire-stat.js';

/** One request, as its handler sees it. */
export interface ServedRequest<Name extends FsMessageName> {
  readonly view: ServedView;
  readonly frame: AcheronEnvelope;
  readonly payload: FsRequest<Name>;
  readonly data: Uint8Array | undefined;
  readonly op: ServedOp;
  readonly limits: { readonly dataBytes: number; readonly replyBytes: number };
  readonly newHandle: () => number;
  readonly exports: (op: Op) => Awaitable<readonly ExportEntry[]>;
}

export interface ServedReply<Payload> {
  readonly payload: Payload;
  /** Content, which travels raw or as `data_b64`. */
  readonly data?: Uint8Array;
}

type Handler<Name extends FsMessageName> = (
  request: ServedRequest<Name>,
) => Awaitable<ServedReply<FsReply<Name>>>;

type ServedName = Exclude<FsMessageName, 'hello'>;

/** What each request does to the tree. */
export const FS_HANDLERS: { readonly [Name in ServedName]: Handler<Name> } = {
  async exports({ view, op, exports }) {
    const found = await exports(op);
    return {
      payload: {
        exports: found.map(({ name, node, ro, desc, sourceKind, sourceId, caps }) => ({
          name,
          root: view.nodes.numberOf(node, 0, name),
          ro,
          desc,
          source_kind: sourceKind,
          source_id: sourceId,
          caps: [...caps],
        })),
      },
    };
  },

  async lookup({ view, frame, payload, op }) {
    let number = frame.node ?? 1;
    const names = payload.name !== undefined ? [payload.name] : namesOfPath(payload.path ?? required('name'));
    let node = view.nodes.get(number).node;
    for (const name of names) {
      node = await asDir(node).lookup(name, op);
      number = view.nodes.numberOf(node, number, name);
    }
    const known = await describe(number, node, op);
    return { payload: { name: names.at(-1) ?? '/', ...known, ...freshnessOfRoot(view, frame) } };
  },

  async getattr({ view, frame, op }) {
    if (frame.h !== undefined) {
      const { handle } = view.handle(frame.h);
      return { payload: attributesFromStat(await handle.stat(op), handle.direct ? 'live' : 'shared') };
    }
    const known = nodeOf(view, frame);
    return { payload: await describe(known.number, known.node, op) };
  },

  async setattr({ view, frame, payload, op }) {
    return { payload: await setattr(view, frame, payload, op) };
  },

  async truncate({ view, frame, payload, op }) {
    return { payload: await setattr(view, frame, { size: payload.size }, op) };
  },

  async readdirp({ view, frame, payload, op, limits }) {
    const { number, node } = nodeOf(view, frame);
    const directory = asDir(node);
    const from = payload.cookie ?? 0;
    const kept = from === 0 ? undefined : view.listings.get(number);
    const listing = kept ?? (await directory.list(op));
    const most = Math.max(1, Math.min(payload.count ?? 1000, 10_000));
    const page = listing.slice(from, from + most);
    const entries: WireEntry[] = [];
    let bytes = 512;
    for (let i = 0; i < page.length; i += LOOKUPS_AT_ONCE) {
      const some = page.slice(i, i + LOOKUPS_AT_ONCE);
      const described =
        payload.plus === true
          ? await Promise.all(some.map((entry) => describeEntry(view, number, directory, entry, op)))
          : some.map(plainEntry);
      const room = described.findIndex((entry) => {
        bytes += entry === undefined ? 0 : JSON.stringify(entry).length * 3 + 1;
        return bytes > limits.replyBytes && entries.length > 0;
      });
      for (const entry of room === -1 ? described : described.slice(0, room))
        if (entry !== undefined) entries.push(entry);
      if (room === -1) continue;
      view.keepListing(number, listing);
      return {
        payload: { entries, next: from + i + room, eof: false, ...freshnessOfRoot(view, frame) },
      };
    }
    const next = from + page.length;
    const eof = next >= listing.length;
    if (eof) view.listings.delete(number);
    else view.keepListing(number, listing);
    return { payload: { entries, next, eof, ...freshnessOfRoot(view, frame) } };
  },

  async open({ view, frame, payload, op, newHandle, limits }) {
    const { node } = nodeOf(view, frame);
    const flags = openFlagsFromWire(payload);
    const handle = await asFile(node).open(flags, op);
    const number = keep(view, newHandle, handle, flags);
    const inline = Math.min(payload.inline ?? 0, limits.dataBytes);
    try {
      const attr = await handle.stat(op);
      const fixed = !flags.write && (handle.fixed ?? node.freshness === 'announced');
      const reply = {
        handle: number,
        mode: modeOfOpenFlags(flags),
        direct: handle.direct,
        fixed,
        attr: attributesFromStat(attr, node.freshness),
      };
      if (inline === 0 || !flags.read || flags.write) return { payload: reply };
      const data = await handle.read(0, inline, op);
      // A whole snapshot needs no descriptor here: that spares the peer a close.
      const closed = fixed && data.byteLength === attr.size;
      if (closed) {
        view.handles.delete(number);
        await handle.release();
      }
      return { payload: { ...reply, eof: data.byteLength < inline, ...(closed ? { closed } : {}) }, data };
    } catch (thrown) {
      view.handles.delete(number);
      await handle.release();
      throw thrown;
    }
  },

  async create({ view, frame, payload, op, newHandle }) {
    const { number, node } = nodeOf(view, frame);
    const flags =
      payload.mode === undefined && payload.flags === undefined
        ? openFlagsFromWire({ mode: 'rw' })
        : openFlagsFromWire(payload);
    const directory = asDir(node);
    const created = await directory.create(payload.name, flags, (payload.perm ?? 0o644) & 0o7777, op);
    const handle = keep(view, newHandle, created.handle, flags);
    const child = view.nodes.numberOf(created.node, number, payload.name);
    const attr = attributesFromStat(await created.handle.stat(op), created.node.freshness);
    return {
      payload: {
        node: child,
        handle,
        mode: modeOfOpenFlags(flags),
        direct: created.handle.direct,
        fixed: false,
        attr,
      },
    };
  },

  async read({ view, frame, payload, op, limits }) {
    const served = handleOf(view, frame);
    if (!served.readable) throw new FsError('EBADF', 'The handle is not open for reading.');
    const count = Math.min(payload.count, MAX_READ_BYTES, limits.dataBytes);
    const data = await served.use(() => served.handle.read(payload.offset, count, op));
    return { payload: { eof: data.byteLength < count }, data };
  },

  async write({ view, frame, payload, data, op }) {
    const served = handleOf(view, frame);
    if (!served.writable) throw new FsError('EBADF', 'The handle is not open for writing.');
    if (data === undefined) required('data_b64');
    return { payload: { count: await served.write(payload.offset, data, op) } };
  },

  async flush({ view, frame, op }) {
    await handleOf(view, frame).flush(op);
    return { payload: {} };
  },

  async fsync({ view, frame, payload, op }) {
    if (frame.h === undefined) {
      await asDir(nodeOf(view, frame).node).fsync(op);
    } else {
      const served = view.handle(frame.h);
      await served.inOrder(() => served.handle.fsync(payload.data_only ?? false, op));
    }
    return { payload: {} };
  },

  async allocate({ view, frame, payload, op }) {
    const served = handleOf(view, frame);
    const { mode, offset, length } = payload;
    await served.inOrder(() => served.handle.allocate(mode, offset, length, op));
    return { payload: {} };
  },

  async close({ view, frame, op }) {
    const served = handleOf(view, frame);
    view.handles.delete(frame.h!);
    await served.close(op);
    return { payload: {} };
  },

  async mkdir({ view, frame, payload, op }) {
    const { number, node } = nodeOf(view, frame);
    const made = await asDir(node).mkdir(payload.name, (payload.perm ?? 0o755) & 0o7777, op);
    return { payload: await describe(view.nodes.numberOf(made, number, payload.name), made, op) };
  },

  async unlink({ view, frame, payload, op }) {
    await asDir(nodeOf(view, frame).node).unlink(payload.name, op);
    return { payload: {} };
  },

  async rmdir({ view, frame, payload, op }) {
    await asDir(nodeOf(view, frame).node).rmdir(payload.name, op);
    return { payload: {} };
  },

  async rename({ view, frame, payload, op }) {
    const toDir = asDir(view.nodes.get(payload.to_node).node);
    await asDir(nodeOf(view, frame).node).rename(
      payload.name,
      toDir,
      payload.to_name,
      payload.flags ?? 0,
      op,
    );
    return { payload: {} };
  },

  async link({ view, frame, payload, op }) {
    const { number, node } = nodeOf(view, frame);
    const target = view.nodes.get(payload.target_node).node;
    const linked = await asDir(node).link(target, payload.name, op);
    return { payload: await describe(view.nodes.numberOf(linked, number, payload.name), linked, op) };
  },

  async symlink({ view, frame, payload, op }) {
    const { number, node } = nodeOf(view, frame);
    const made = await asDir(node).symlink(payload.name, payload.target, op);
    return { payload: await describe(view.nodes.numberOf(made, number, payload.name), made, op) };
  },

  async readlink({ view, frame, op }) {
    const { node } = nodeOf(view, frame);
    if (node.kind !== 'symlink') throw new FsError('EINVAL', 'This is not a symlink.');
    return { payload: { target: await node.readlink(op) } };
  },

  async access({ view, frame, payload, op }) {
    await nodeOf(view, frame).node.access(payload.mask & 7, op);
    return { payload: {} };
  },

  async statfs({ view, frame, op }) {
    return { payload: wireFromStatFs(await nodeOf(view, frame).node.statfs(op)) };
  },

  async getxattr({ view, frame, payload, op }) {
    const value = await nodeOf(view, frame).node.getxattr(payload.name, op);
    return { payload: { value_b64: Buffer.from(value).toString('base64') } };
  },

  async setxattr({ view, frame, payload, op }) {
    const value = bytesOfValue(payload.value_b64);
    await nodeOf(view, frame).node.setxattr(payload.name, value, payload.flags ?? 0, op);
    return { payload: {} };
  },

  async listxattr({ view, frame, op }) {
    return { payload: { names: [...(await nodeOf(view, frame).node.listxattr(op))] } };
  },

  async removexattr({ view, frame, payload, op }) {
    await nodeOf(view, frame).node.removexattr(payload.name, op);
    return { payload: {} };
  },

  cancel({ view, payload }) {
    const running = view.running.get(payload.oldtag);
    running?.cancel();
    return { payload: { found: running !== undefined } };
  },

  forget({ view, payload }) {
    for (const number of payload.nodes) view.nodes.forget(number);
    return { payload: {} };
  },
};

/** How many entries of a directory are looked up side by side for `plus`. */
const LOOKUPS_AT_ONCE = 64;

function required(field: string): never {
  throw new ProtocolFault('missing_field', `The request has no ${field}.`);
}

function nodeOf(view: ServedView, frame: AcheronEnvelope): KnownNode {
  return view.nodes.get(frame.node ?? required('node'));
}

function handleOf(view: ServedView, frame: AcheronEnvelope): ServedHandle {
  return view.handle(frame.h ?? required('h'));
}

/** Nobody looked up the root, so an answer about it says how long it stays true. */
function freshnessOfRoot(view: ServedView, frame: AcheronEnvelope): { dir?: Freshness } {
  return (frame.node ?? ROOT_NODE) === ROOT_NODE ? { dir: view.nodes.get(ROOT_NODE).node.freshness } : {};
}

function asDir(node: Node): DirNode {
  if (node.kind === 'dir') return node;
  throw new FsError('ENOTDIR', 'This is not a directory.');
}

function asFile(node: Node): FileNode {
  if (node.kind === 'file') return node;
  throw node.kind === 'dir'
    ? new FsError('EISDIR', 'This is a directory.')
    : new FsError('ELOOP', 'This is a symlink; read it and look up where it points.');
}

async function describe(number: number, node: Node, op: Op): Promise<WireNode> {
  return { node: number, ...attributesFromStat(await node.stat(op), node.freshness) };
}

function keep(view: ServedView, newHandle: () => number, handle: FileHandle, flags: OpenFlags): number {
  if (view.handles.size >= MAX_HANDLES) {
    void Promise.resolve(handle.release()).catch(() => undefined);
    throw new FsError('EMFILE', 'This connection has too many files open.', {
      hint: 'Close some (t_fs_close).',
    });
  }
  const number = newHandle();
  view.handles.set(number, new ServedHandle(handle, flags));
  return number;
}

async function setattr(
  view: ServedView,
  frame: AcheronEnvelope,
  wire: FsRequest<'setattr'>,
  op: Op,
): Promise<FsReply<'setattr'>> {
  const change = changeFromWire(wire);
  if (frame.h !== undefined) {
    const served = view.handle(frame.h);
    const stat = await served.inOrder(() => served.handle.setattr(change, op));
    return attributesFromStat(stat, served.handle.direct ? 'live' : 'shared');
  }
  const { number, node } = nodeOf(view, frame);
  return { node: number, ...attributesFromStat(await node.setattr(change, op), node.freshness) };
}

const plainEntry = ({ name, kind, ino }: DirEntry): WireEntry => ({ name, kind, ino: String(ino) });

/**
 * An entry with its node's number, and its attributes unless they differ at each look. One that went since
 * it was listed is left out.
 */
async function describeEntry(
  view: ServedView,
  parent: number,
  directory: DirNode,
  entry: DirEntry,
  op: Op,
): Promise<WireEntry | undefined> {
  try {
    const node = entry.node ?? (await directory.lookup(entry.name, op));
    const number = view.nodes.numberOf(node, parent, entry.name);
    if (node.freshness === 'live' && node.kind !== 'dir')
      return { ...plainEntry(entry), node: number, freshness: 'live' };
    return { name: entry.name, ...(await describe(number, node, op)) };
  } catch (thrown) {
    const { code } = FsError.from(thrown);
    if (code === 'ENOENT' || code === 'ESTALE') return undefined;
    return plainEntry(entry);
  }
}

function bytesOfValue(text: string): Uint8Array {
  const value = bytesFromBase64(text);
  if (value.byteLength > MAX_XATTR_BYTES) throw new FsError('E2BIG', 'The value is too long.');
  return value;
}
