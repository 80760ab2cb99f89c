import { FsError } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import {
  LAYOUT,
  MAX_READ_BYTES,
  ProtocolFault,
  qidOf,
  runtimeStat,
  type MountName,
  type MountReply,
  type MountRequest,
  type RuntimeRequest,
} from '../../protocol/index.js';
import { namesOfPath, type DirNode, type FileHandle, type Op, type Vfs } from '../../vfs/index.js';
import { ServedOp } from './served-op.js';
import { findNode, PATH_HANDLERS } from './served-paths.js';

/** Fids of one peer. */
const MAX_FIDS = 256;
/** Requests of one peer that are answered at a time. */
const MAX_RUNNING = 32;

interface Fid {
  readonly names: readonly string[];
  open: Opened | undefined;
  /** What was asked of it last: requests of one fid are answered in their order. */
  last: Promise<unknown>;
}

type Opened =
  | { readonly kind: 'listing'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'file';
      readonly handle: FileHandle;
      readonly read: boolean;
      readonly write: boolean;
      unflushed: boolean;
    };

/**
 * Serves a tree by fids, to one peer. A fid is a path, looked up anew by each request as the session of that moment sees it;
 * what was opened stays open, and is asked for its rights again at each use.
 */
export class ServedRuntime {
  readonly #vfs: Vfs;
  readonly #sessionOf: () => Session;
  readonly #fids = new Map<number, Fid>();
  readonly #running = new Set<ServedOp>();
  #ended = false;

  constructor(vfs: Vfs, sessionOf: () => Session) {
    this.#vfs = vfs;
    this.#sessionOf = sessionOf;
  }

  /** The payload of the answer. @throws FsError, ProtocolFault */
  answer(request: RuntimeRequest): Promise<object> {
    return this.#run((op) => this.#dispatch(request, op));
  }

  /** What a request does that names a path. @throws FsError, ProtocolFault */
  atPath<Name extends MountName>(name: Name, request: MountRequest<Name>): Promise<MountReply<Name>> {
    return this.#run((op) => PATH_HANDLERS[name](this.#vfs.root, request, op));
  }

  async #run<T>(work: (op: ServedOp) => Promise<T>): Promise<T> {
    if (this.#running.size >= MAX_RUNNING)
      throw new ProtocolFault('session_busy', `${MAX_RUNNING} requests are waiting for their answers.`);
    const op = new ServedOp(this.#sessionOf());
    this.#running.add(op);
    try {
      return await work(op);
    } finally {
      this.#running.delete(op);
    }
  }

  /** The peer is gone: what runs is given up, and what is open released. */
  end(): void {
    this.#ended = true;
    for (const op of this.#running) op.cancel();
    for (const fid of this.#fids.values())
      void fid.last.then(
        () => release(fid),
        () => release(fid),
      );
    this.#fids.clear();
  }

  #dispatch(request: RuntimeRequest, op: ServedOp): Promise<object> {
    const { type, fid: number = 0 } = request;
    if (type === 'acheron.t_attach') return this.#attach(number, op);
    // Of all that is open: what a fid has not flushed, its clunk does, and says what came of it.
    if (type === 'acheron.t_flush' && request.fid === undefined) return Promise.resolve({});
    const fid = this.#fids.get(number);
    if (fid === undefined)
      throw new ProtocolFault('not_found', `There is no fid ${number}: it was not walked to, or clunked.`);
    return inOrder(fid, () => this.#use(fid, number, request, op));
  }

  #use(fid: Fid, number: number, request: RuntimeRequest, op: ServedOp): Promise<object> {
    switch (request.type) {
      case 'acheron.t_walk':
        return this.#walk(fid, request, op);
      case 'acheron.t_open':
        return this.#open(fid, request.mode ?? 'r', op);
      case 'acheron.t_read':
        return readOf(fid, request, op);
      case 'acheron.t_write':
        return writeTo(fid, request, op);
      case 'acheron.t_stat':
        return this.#stat(fid, op);
      case 'acheron.t_flush':
        return flush(fid, op);
      default:
        this.#fids.delete(number);
        return clunk(fid, op);
    }
  }

  async #attach(number: number, op: Op): Promise<object> {
    const { root } = this.#vfs;
    const roots = (await root.list(op)).map(({ name }) => `/${name}`);
    await this.#put(number, []);
    return { layout: LAYOUT, roots, qid: qidOf(root.ino, 'dir') };
  }

  async #walk(from: Fid, { newfid = 0, path = [] }: RuntimeRequest, op: Op): Promise<object> {
    for (const name of path)
      if (name === '' || name.includes('/') || name.includes('\0'))
        throw new FsError('EINVAL', `${JSON.stringify(name)} is no name.`);
    const names = namesOfPath([...from.names, ...path].join('/'));
    const node = await findNode(this.#vfs.root, names, op);
    await this.#put(newfid, names);
    return { newfid, qid: qidOf(node.ino, node.kind) };
  }

  async #open(fid: Fid, mode: 'r' | 'w' | 'rw', op: Op): Promise<object> {
    if (fid.open !== undefined) throw new FsError('EBUSY', 'The fid is open already.');
    const node = await findNode(this.#vfs.root, fid.names, op);
    if (node.kind === 'dir') fid.open = { kind: 'listing', bytes: await listingOf(node, op) };
    else if (node.kind === 'file') {
      const [read, write] = [mode !== 'w', mode !== 'r'];
      const flags = { read, write, append: false, truncate: false, exclusive: false };
      fid.open = { kind: 'file', handle: await node.open(flags, op), read, write, unflushed: false };
    } else throw new FsError('ELOOP', 'Too many links lead on from there.');
    if (this.#ended) await release(fid);
    return { mode, qid: qidOf(node.ino, node.kind) };
  }

  async #stat(fid: Fid, op: Op): Promise<object> {
    const node = await findNode(this.#vfs.root, fid.names, op);
    const { kind, size, mode, mtimeNs, ino } = await node.stat(op);
    const name = fid.names.at(-1) ?? '/';
    return runtimeStat({ name, kind, size, perm: mode, mtimeMs: Number(mtimeNs / 1_000_000n), ino });
  }

  async #put(number: number, names: readonly string[]): Promise<void> {
    const before = this.#fids.get(number);
    if (before === undefined && this.#fids.size >= MAX_FIDS)
      throw new FsError('EMFILE', `A connection may have ${MAX_FIDS} fids.`, { hint: 'Clunk some first.' });
    this.#fids.set(number, { names, open: undefined, last: Promise.resolve() });
    if (before !== undefined) await release(before);
  }
}

/** After what was asked of the fid before. */
function inOrder<T>(fid: Fid, work: () => Promise<T>): Promise<T> {
  const answer = fid.last.then(work, work);
  fid.last = answer.catch(() => undefined);
  return answer;
}

/** The names in a directory, a line each. */
async function listingOf(node: DirNode, op: Op): Promise<Uint8Array> {
  const names = (await node.list(op)).map(({ name }) => `${name}\n`);
  return Buffer.from(names.join(''));
}

async function readOf(
  { open }: Fid,
  { offset = 0, count = MAX_READ_BYTES }: RuntimeRequest,
  op: Op,
): Promise<object> {
  if (open === undefined || (open.kind === 'file' && !open.read))
    throw new FsError('EBADF', 'The fid is not open to be read.');
  const most = Math.min(count, MAX_READ_BYTES);
  const bytes =
    open.kind === 'listing'
      ? open.bytes.subarray(offset, offset + most)
      : await open.handle.read(offset, most, op);
  return { n: bytes.length, data_b64: Buffer.from(bytes).toString('base64'), eof: bytes.length < most };
}

async function writeTo(
  { open }: Fid,
  { offset = 0, data_b64 = '', correlation_id }: RuntimeRequest,
  op: Op,
): Promise<object> {
  if (open?.kind !== 'file' || !open.write) throw new FsError('EBADF', 'The fid is not open to be written.');
  open.unflushed = true;
  const n = await open.handle.write(offset, Buffer.from(data_b64, 'base64'), op);
  return { n, ...(correlation_id === undefined ? {} : { correlation_id }) };
}

async function flush({ open }: Fid, op: Op): Promise<object> {
  if (open?.kind === 'file') {
    open.unflushed = false;
    await open.handle.flush?.(op);
  }
  return {};
}

async function clunk(fid: Fid, op: Op): Promise<object> {
  try {
    if (fid.open?.kind === 'file' && fid.open.unflushed) await fid.open.handle.flush?.(op);
  } finally {
    await release(fid);
  }
  return {};
}

/** What it throws reaches nobody, as everywhere. */
async function release(fid: Fid): Promise<void> {
  const { open } = fid;
  fid.open = undefined;
  if (open?.kind === 'file') await open.handle.release();
}
