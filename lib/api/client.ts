import { FsError, isJsonObject, type JsonObject } from '../core/index.js';
import type { Session } from '../policy/index.js';
import { walk, type DirNode, type FileHandle, type OpenFlags, type Op, type Vfs } from '../vfs/index.js';
import { findService } from '../worldfs/index.js';

const READ: OpenFlags = { read: true, write: false, append: false, truncate: false, exclusive: false };
const WRITE: OpenFlags = { ...READ, read: false, write: true };
const READ_WRITE: OpenFlags = { ...READ, write: true };
const CHUNK_BYTES = 128 * 1024;

export interface CallOptions {
  /** Abandons the call; the driver that runs is stopped. */
  readonly signal?: AbortSignal;
}

export interface InvokeOptions extends CallOptions {
  /** Makes a retry safe: the same key with the same payload runs once. */
  readonly key?: string;
}

/** The files and services of a tree, as one session has them: what a shell does with a mount, without one. */
export class Client {
  readonly tree: Vfs;
  readonly #session: Session;
  readonly #end: () => Promise<void>;

  constructor(tree: Vfs, session: Session, end: () => Promise<void>) {
    this.tree = tree;
    this.#session = session;
    this.#end = end;
  }

  /** The names in a directory. @throws FsError ENOENT, ENOTDIR, EACCES, EHOSTDOWN */
  async list(path: string, options: CallOptions = {}): Promise<string[]> {
    const op = this.#op(options);
    return (await (await this.#directory(path, op)).list(op)).map(({ name }) => name);
  }

  /** The whole text of a file. @throws FsError ENOENT, EISDIR, EACCES, EHOSTDOWN */
  async read(path: string, options: CallOptions = {}): Promise<string> {
    const op = this.#op(options);
    const handle = await this.#open(path, READ, op);
    return readFrom(handle, 0, op).finally(() => handle.release());
  }

  /** Writes `text` to a file that is there, as `echo > path` does. @throws FsError what the file answers */
  async write(path: string, text: string, options: CallOptions = {}): Promise<void> {
    const op = this.#op(options);
    const handle = await this.#open(path, WRITE, op);
    await writeTo(handle, text, op).finally(() => handle.release());
  }

  /** The entries of `SERVICES.json` of every node that this session sees. */
  async services(options: CallOptions = {}): Promise<JsonObject[]> {
    const op = this.#op(options);
    const found: JsonObject[] = [];
    for (const { name, kind } of await (await this.#directory('/nodes', op)).list(op)) {
      if (kind !== 'dir') continue;
      const index = await this.read(`/nodes/${name}/services/SERVICES.json`, options);
      found.push(...(JSON.parse(index) as JsonObject[]));
    }
    return found;
  }

  /**
   * Runs a service (`echo`, `node/echo`, or a path) and answers with its result.
   * @throws FsError with the errno of the call (SPEC 3), its sentence and what to do about it
   */
  async invoke(service: string, payload: JsonObject, options: InvokeOptions = {}): Promise<JsonObject> {
    const op = this.#op(options);
    const path = await findService(this.tree.root, service, op);
    const handle = await this.#open(`${path}/control/invoke.json`, READ_WRITE, op);
    try {
      const request = JSON.stringify(options.key === undefined ? payload : { ...payload, _key: options.key });
      await writeTo(handle, request, op);
      const result: unknown = JSON.parse(await readFrom(handle, Buffer.byteLength(request), op));
      if (!isJsonObject(result)) throw new FsError('EPROTO', 'The result is no JSON object.');
      return result;
    } finally {
      await handle.release();
    }
  }

  close(): Promise<void> {
    return this.#end();
  }

  #op({ signal = new AbortController().signal }: CallOptions): Op {
    return { session: this.#session, signal };
  }

  async #directory(path: string, op: Op): Promise<DirNode> {
    const node = await walk(this.tree.root, path, op);
    if (node.kind !== 'dir') throw new FsError('ENOTDIR', `${path} is not a directory.`);
    return node;
  }

  async #open(path: string, flags: OpenFlags, op: Op): Promise<FileHandle> {
    const node = await walk(this.tree.root, path, op);
    if (node.kind !== 'file') throw new FsError('EISDIR', `${path} is not a file.`);
    return node.open(flags, op);
  }
}

async function readFrom(handle: FileHandle, from: number, op: Op): Promise<string> {
  const parts: Buffer[] = [];
  for (let at = from; ;) {
    const bytes = await handle.read(at, CHUNK_BYTES, op);
    if (bytes.length === 0) return Buffer.concat(parts).toString();
    parts.push(Buffer.from(bytes));
    at += bytes.length;
  }
}

async function writeTo(handle: FileHandle, text: string, op: Op): Promise<void> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += await handle.write(at, bytes.subarray(at, at + CHUNK_BYTES), op);
  await handle.flush?.(op);
}
