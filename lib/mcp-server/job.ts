import { randomUUID } from 'node:crypto';
import { FsError, isId, isJsonObject, type JsonObject, type JsonValue } from '../core/index.js';
import {
  READ_WRITE,
  followProgress,
  followStatus,
  followStream,
  openFile,
  readJson,
  readRest,
  readText,
  writeAll,
  writeFile,
  type SeenTree,
  type ShownProgress,
} from '../worldfs/index.js';
import { answerParts, type AnswerParts } from './answer-parts.js';
import type { Answer, Asked } from './questions.js';
import type { ServiceTool } from './service-tool.js';

/** What has become of a call. */
export type Outcome =
  | { readonly state: 'running' }
  | { readonly state: 'asks'; readonly asked: Asked }
  | { readonly state: 'ok'; readonly result: JsonValue; readonly parts?: AnswerParts | undefined }
  | { readonly state: 'failed'; readonly error: FsError };

/** What a follower of a job is told. */
export interface Follower {
  /** It is not waited for any longer than until its driver asks something. */
  readonly untilAsked?: boolean;
  readonly onProgress?: ((progress: ShownProgress) => void) | undefined;
  readonly onStderr?: ((bytes: Uint8Array) => void) | undefined;
}

/** A call of a service that was accepted: it goes on whether or not anybody waits for it. */
export class Job {
  readonly #tree: SeenTree;
  readonly #service: string;
  /** `<node>/<service>/<invocation id>`: what a client names it by. */
  readonly name: string;
  readonly #path: string;
  /** What it was asked for with, its key among it: sent again, it is answered as it was. */
  readonly #request: string | undefined;
  readonly #isOfServer: boolean;

  private constructor(
    tree: SeenTree,
    service: string,
    id: string,
    { request, isOfServer }: { request?: string; isOfServer: boolean },
  ) {
    this.#tree = tree;
    this.#service = service;
    this.#path = `${service}/jobs/${id}`;
    this.#request = request;
    this.#isOfServer = isOfServer;
    const [, , node, , serviceId] = service.split('/');
    this.name = `${node ?? ''}/${serviceId ?? ''}/${id}`;
  }

  /**
   * Asks for a call.
   * @throws FsError what the service answers to a request that it does not take
   */
  static async submit(
    tree: SeenTree,
    { path, isOfServer }: Pick<ServiceTool, 'path' | 'isOfServer'>,
    payload: JsonObject,
  ): Promise<Job> {
    const request = JSON.stringify({ _key: `mcp-${randomUUID()}`, ...payload });
    const reply = await ask(tree, `${path}/control/submit.json`, request);
    const id = isJsonObject(reply) ? reply['invocation_id'] : undefined;
    if (typeof id !== 'string') throw new FsError('EPROTO', 'The service named no job.');
    return new Job(tree, path, id, { request, isOfServer });
  }

  /** One that was asked for earlier, by its name. @throws FsError ENOENT */
  static async named(tree: SeenTree, name: string): Promise<Job> {
    const [node, service, id, ...more] = name.split('/');
    if (isId(node) && isId(service) && isId(id) && more.length === 0) {
      const job = new Job(tree, `/nodes/${node}/services/${service}`, id, { isOfServer: true });
      await job.status();
      return job;
    }
    throw new FsError('ENOENT', `There is no job ${JSON.stringify(name)}.`, {
      hint: 'A job is named as the answer to its call named it.',
    });
  }

  /** Its `status.json`. */
  async status(): Promise<JsonObject> {
    const status: unknown = JSON.parse(await readText(this.#tree, `${this.#path}/status.json`));
    return isJsonObject(status) ? status : {};
  }

  /**
   * Waits until it has ended, or `ms` have passed, and says what has become of it.
   * @param signal gives up waiting; the job runs on
   */
  async outcome(ms: number, signal: AbortSignal, follower: Follower = {}): Promise<Outcome> {
    const [over, asks] = [new AbortController(), new AbortController()];
    const followed = this.#follow(follower, over.signal, () => asks.abort());
    try {
      if (await this.#hasEnded(ms, AbortSignal.any([signal, asks.signal]))) return await this.#end(signal);
    } catch (thrown) {
      if (signal.aborted || !asks.signal.aborted) throw thrown;
    } finally {
      over.abort();
      await followed;
    }
    if (!asks.signal.aborted) return { state: 'running' };
    const asked = await this.question();
    // Somebody else may have answered it meanwhile.
    return asked === undefined ? this.outcome(ms, signal, follower) : { state: 'asks', asked };
  }

  /** What its driver asks now. */
  async question(): Promise<Asked | undefined> {
    if (!this.#isOfServer) return undefined;
    try {
      const asked = await readJson<JsonObject>(this.#tree, `${this.#path}/question.json`);
      const { number, message, schema } = asked;
      if (typeof message !== 'string') return undefined;
      // A node of an earlier version does not count them.
      return {
        ...{ number: typeof number === 'number' ? number : 1, message },
        schema: isJsonObject(schema) ? schema : {},
      };
    } catch (thrown) {
      if (isGone(thrown)) return undefined;
      throw thrown;
    }
  }

  /** Answers what its driver asks, unless that is another question by now. */
  async answer({ number, content }: Answer): Promise<void> {
    if ((await this.question())?.number === number)
      await this.#writeIfThere('answer.json', JSON.stringify(content));
  }

  /** Stops it, unless it has ended. */
  async cancel(): Promise<void> {
    await this.#writeIfThere('cancel', 'cancel\n');
  }

  async #writeIfThere(control: string, text: string): Promise<void> {
    try {
      await writeFile(this.#tree, `${this.#path}/${control}`, Buffer.from(text));
    } catch (thrown) {
      if (!isGone(thrown)) throw thrown;
    }
  }

  async #hasEnded(ms: number, signal: AbortSignal): Promise<boolean> {
    try {
      const seconds = Buffer.from(`${(ms / 1000).toFixed(3)}\n`);
      await writeFile(this.#tree, `${this.#path}/wait`, seconds, signal);
      return true;
    } catch (thrown) {
      const { code } = FsError.from(thrown);
      if (code === 'ETIMEDOUT') return false;
      // So many others have ended meanwhile that it is no longer listed: it has ended, and its outcome is kept by its key.
      if (code === 'ENOENT' && this.#request !== undefined) return true;
      throw thrown;
    }
  }

  async #end(signal: AbortSignal): Promise<Outcome> {
    try {
      if (this.#request !== undefined) {
        const result = await ask(this.#tree, `${this.#service}/control/invoke.json`, this.#request, signal);
        return await this.#answered(result, signal);
      }
      const { state, errno, error } = await this.status();
      if (state !== 'ok') return { state: 'failed', error: errorFrom(errno, error) };
      const text = await readText(this.#tree, `${this.#path}/result.json`);
      return await this.#answered(JSON.parse(text) as JsonValue, signal);
    } catch (thrown) {
      return { state: 'failed', error: FsError.from(thrown) };
    }
  }

  async #answered(result: JsonValue, signal: AbortSignal): Promise<Outcome> {
    const parts = this.#isOfServer ? await answerParts(this.#tree, this.#path, result, signal) : undefined;
    return { state: 'ok', result, parts };
  }

  async #follow(
    { onProgress, onStderr, untilAsked = false }: Follower,
    over: AbortSignal,
    onAsked: () => void,
  ): Promise<void> {
    const followed: Promise<void>[] = [];
    if (untilAsked && this.#isOfServer)
      followed.push(
        followStatus(this.#tree, this.#path, over, ({ asks }) => {
          if (asks !== undefined) onAsked();
        }),
      );
    if (onProgress !== undefined) followed.push(followProgress(this.#tree, this.#path, over, onProgress));
    if (onStderr !== undefined)
      followed.push(followStream(this.#tree, `${this.#path}/stderr`, over, onStderr));
    // That it cannot be followed is no reason not to wait for it.
    await Promise.allSettled(followed);
  }
}

/** It has ended, asks nothing any more, or is forgotten already. */
const isGone = (thrown: unknown): boolean => ['ESRCH', 'ENOENT'].includes(FsError.from(thrown).code);

function errorFrom(errno: JsonValue | undefined, error: JsonValue | undefined): FsError {
  const known = FsError.from(
    Object.assign(new Error(typeof error === 'string' ? error : 'It failed.'), { code: errno }),
  );
  return new FsError(known.code, known.message);
}

/** Writes a request and reads its reply from the same descriptor. */
async function ask(tree: SeenTree, path: string, request: string, signal?: AbortSignal): Promise<JsonValue> {
  const bytes = Buffer.from(request);
  const handle = await openFile(tree, path, READ_WRITE);
  try {
    await writeAll(handle, bytes, tree.op(signal));
    return JSON.parse((await readRest(handle, tree.op(signal), bytes.length)).toString()) as JsonValue;
  } finally {
    await handle.release();
  }
}
