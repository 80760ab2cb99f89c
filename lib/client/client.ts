import { randomUUID } from 'node:crypto';
import { FsError, type JsonObject } from '../core/index.js';
import { walk, type NodeKind } from '../vfs/index.js';
import {
  findJob,
  findService,
  openFile,
  READ_WRITE,
  readBytes,
  readJson,
  readRest,
  targetOf,
  writeAll,
  writeFile,
} from '../worldfs/index.js';
import { describedService, type DescribedService } from './described-service.js';
import { eventsOf, type EventsOptions, type TreeEvent } from './events.js';
import { removeNode, writeNew } from './change-tree.js';
import type { JobEvent } from './follow-job.js';
import { failureFromReply, Job } from './job.js';
import type { InputOf, OutputOf } from './services.js';
import type { Tree } from './tree.js';
import { stopIfAborted } from './give-up.js';

export interface CallOptions {
  /** Abandons the call; the driver that runs is stopped. */
  readonly signal?: AbortSignal | undefined;
}

export interface InvokeOptions extends CallOptions {
  /** Makes a retry safe: the same key with the same payload runs once. */
  readonly key?: string | undefined;
}

export interface WriteOptions extends CallOptions {
  /** True: a file that is not there is made, and one that is there is replaced; for exports and `calls/`. */
  readonly create?: boolean;
}

/** What a path leads to. */
export interface FileStat {
  readonly kind: NodeKind;
  /** Bytes. */
  readonly size: number;
  /** Permission bits, true for this session. */
  readonly mode: number;
  readonly modifiedAt: Date;
}

/** The files and services of a tree, as one session has them. */
export class Client {
  /** @internal */
  readonly tree: Tree;

  /** @internal */
  constructor(tree: Tree) {
    this.tree = tree;
  }

  /** The entries of `SERVICES.json` of every node that this session sees. */
  async services({ signal }: CallOptions = {}): Promise<JsonObject[]> {
    const op = this.tree.op(signal);
    const nodes = await walk(this.tree.root, '/nodes', op);
    const names = nodes.kind === 'dir' ? (await nodes.list(op)).filter(({ kind }) => kind === 'dir') : [];
    const found = names.map(({ name }) =>
      readJson<JsonObject[]>(this.tree, `/nodes/${name}/services/SERVICES.json`, signal),
    );
    return (await Promise.all(found)).flat();
  }

  /** What a service (`echo`, `node/echo`, or a path) is, takes and gives. @throws FsError ENOENT */
  async describe(service: string, { signal }: CallOptions = {}): Promise<DescribedService> {
    stopIfAborted(signal);
    return describedService(
      this.tree,
      await findService(this.tree.root, service, this.tree.op(signal)),
      signal,
    );
  }

  /**
   * Runs a service (`echo`, `node/echo`, or a path) and answers with its result.
   * @throws FsError with the errno of the call, its sentence and what to do about it
   */
  async invoke<const Name extends string>(
    service: Name,
    payload: InputOf<Name>,
    options: InvokeOptions = {},
  ): Promise<OutputOf<Name>> {
    const { request, key } = this.#request(payload, options);
    return JSON.parse(await this.invokeText(service, request, { ...options, key })) as OutputOf<Name>;
  }

  /**
   * The same with texts as they are, for numbers that a double cannot hold.
   * A key is what `request` says as its `_key`; `options.key` says it again, for what is cancelled by it.
   * @internal
   */
  async invokeText(service: string, request: string, { signal }: InvokeOptions = {}): Promise<string> {
    stopIfAborted(signal);
    const path = await findService(this.tree.root, service, this.tree.op(signal));
    return (await this.#write(`${path}/control/invoke.json`, request, signal)).toString();
  }

  /**
   * Begins a call and answers as soon as it is accepted.
   * @throws FsError when it is refused
   */
  async submit<const Name extends string>(
    service: Name,
    payload: InputOf<Name>,
    options: InvokeOptions = {},
  ): Promise<Job<OutputOf<Name>>> {
    const { signal } = options;
    stopIfAborted(signal);
    const path = await findService(this.tree.root, service, this.tree.op(signal));
    const { request } = this.#request(payload, { ...options, signal: undefined });
    const reply = await this.#write(`${path}/control/submit.json`, request, signal);
    const { invocation_id: id } = JSON.parse(reply.toString()) as { invocation_id: string };
    return new Job<OutputOf<Name>>(this.tree, `${path}/jobs/${id}`);
  }

  /** A job by its id, or by its path (`…/jobs/by-key/KEY` too). @throws FsError ENOENT */
  async job(job: string, { signal }: CallOptions = {}): Promise<Job> {
    stopIfAborted(signal);
    const path = await findJob(this.tree.root, job, this.tree.op(signal));
    return new Job(this.tree, await targetOf(this.tree, path, signal));
  }

  /** What a job (its id or path) prints and how far it is, as it comes; at last how it ended. */
  async *follow(job: string, options: CallOptions = {}): AsyncGenerator<JobEvent, void> {
    yield* (await this.job(job, options)).follow(options);
  }

  /** What happens at the nodes that this session sees, as it happens. */
  events(options: EventsOptions = {}): AsyncGenerator<TreeEvent, void> {
    return eventsOf(this.tree, options);
  }

  /** The names in a directory. @throws FsError ENOENT, ENOTDIR, EACCES, EHOSTDOWN */
  async list(path: string, { signal }: CallOptions = {}): Promise<string[]> {
    stopIfAborted(signal);
    const op = this.tree.op(signal);
    const node = await walk(this.tree.root, path, op);
    if (node.kind !== 'dir') throw new FsError('ENOTDIR', `${path} is not a directory.`);
    return (await node.list(op)).map(({ name }) => name);
  }

  /** What a path leads to; a link is described itself. @throws FsError ENOENT, EACCES, EHOSTDOWN */
  async stat(path: string, { signal }: CallOptions = {}): Promise<FileStat> {
    stopIfAborted(signal);
    const op = this.tree.op(signal);
    const { kind, size, mode, mtimeNs } = await (await walk(this.tree.root, path, op)).stat(op);
    return { kind, size, mode, modifiedAt: new Date(Number(mtimeNs / 1_000_000n)) };
  }

  /** The whole text of a file. @throws FsError ENOENT, EISDIR, EACCES, EHOSTDOWN */
  async read(path: string, options: CallOptions = {}): Promise<string> {
    return (await this.readBytes(path, options)).toString();
  }

  /** The whole of a file. @throws FsError as `read` does */
  async readBytes(path: string, { signal }: CallOptions = {}): Promise<Buffer> {
    stopIfAborted(signal);
    return readBytes(this.tree, path, signal);
  }

  /** Writes to a file, as `echo > path` does. @throws FsError what the file answers */
  async write(path: string, content: string | Uint8Array, options: WriteOptions = {}): Promise<void> {
    const bytes = Buffer.from(content as string);
    if (options.create === true) await writeNew(this.tree, path, bytes, options.signal);
    else await writeFile(this.tree, path, bytes, options.signal);
  }

  /** Removes a file or an empty directory; of `jobs/` what has ended is forgotten. @throws FsError */
  async remove(path: string, { signal }: CallOptions = {}): Promise<void> {
    await removeNode(this.tree, path, signal);
  }

  close(): Promise<void> {
    return this.tree.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Over a mount a call that may be given up gets a key, by which it is cancelled. */
  #request(payload: object, { key, signal }: InvokeOptions): { request: string; key: string | undefined } {
    const isKeyless = key === undefined && !Object.hasOwn(payload, '_key');
    const own = isKeyless && signal !== undefined && this.tree.cancelsByKey ? `acheron-${randomUUID()}` : key;
    return { request: JSON.stringify(own === undefined ? payload : { ...payload, _key: own }), key: own };
  }

  /** Writes a request and reads the reply of the same descriptor. */
  async #write(path: string, request: string, signal: AbortSignal | undefined): Promise<Buffer> {
    const bytes = Buffer.from(request);
    const handle = await openFile(this.tree, path, READ_WRITE, signal);
    try {
      await writeAll(handle, bytes, this.tree.op(signal));
      return await readRest(handle, this.tree.op(), bytes.length);
    } catch (thrown) {
      throw this.tree.cancelsByKey ? await this.#told(thrown, handle) : thrown;
    } finally {
      await handle.release();
    }
  }

  /** A kernel passes on an errno alone: what happened, the descriptor says itself. */
  async #told(thrown: unknown, handle: Awaited<ReturnType<typeof openFile>>): Promise<unknown> {
    try {
      const said = JSON.parse((await readRest(handle, this.tree.op())).toString()) as unknown;
      return failureFromReply(said) ?? thrown;
    } catch {
      // There is nothing more to be learned; the errno is true.
      return thrown;
    }
  }
}
