import type { Agent } from 'undici';
import { FsError, type Clock } from '../../core/index.js';
import { IDEMPOTENT_METHODS, type HttpAuth, type HttpRuntime } from '../../manifest/index.js';
import { backoffMs } from '../backoff.js';
import type { CancelSignal } from '../cancel.js';
import type { Failure, Invocation, Success } from '../contract.js';
import { errorFromAbort, failure, requestFailure } from '../outcome.js';
import type { Secrets } from '../secrets.js';
import { connectionFailure } from './connection-failure.js';
import { headerOf, type HttpAnswer, type HttpRequest } from './http-answer.js';
import { HttpFailure } from './http-failure.js';
import { OAuthToken } from './oauth-token.js';
import { itemsOf, nextPage } from './pages.js';
import { readBody, startOfBody } from './read-body.js';
import { readStream, streamKindOf } from './read-stream.js';
import { credentialsFrom, RequestMaker } from './request-of-call.js';
import { documentFromBody, fullDocument, mapped } from './result-document.js';
import { send, type Credentials, type SendOptions } from './send.js';
import { retryAfterFrom, statusFailure } from './status-failure.js';
import { pause } from './pause.js';

/** As much of a body as is looked at for what an error means. */
const ERROR_BYTES = 16 * 1024;
const MAX_TOKEN_BYTES = 256 * 1024;

/** Does the calls of one HTTP service: asks, asks again where that is harmless, and makes the answer a result. */
export class HttpExchange {
  readonly #runtime: HttpRuntime;
  readonly #agent: Agent;
  readonly #secrets: Secrets;
  readonly #clock: Clock;
  readonly #maker: RequestMaker;
  readonly #tokens = new Map<HttpAuth, OAuthToken>();

  constructor(runtime: HttpRuntime, agent: Agent, secrets: Secrets, clock: Clock) {
    this.#runtime = runtime;
    this.#agent = agent;
    this.#secrets = secrets;
    this.#clock = clock;
    this.#maker = new RequestMaker(runtime);
    for (const auth of runtime.auth)
      if (auth.type === 'oauth2') this.#tokens.set(auth, new OAuthToken(auth, secrets, clock));
  }

  /** Never rejects. `stop` ends it at its deadline, too. */
  async run(call: Invocation, stop: CancelSignal, deadlineMs: number): Promise<Success | Failure> {
    let request: HttpRequest;
    try {
      request = this.#maker.make(call);
    } catch (thrown) {
      return requestFailure(thrown);
    }
    try {
      const json = await this.#repeated(request, call, stop, deadlineMs);
      const result = this.#secrets.redactedBytes(Buffer.from(json));
      return { ok: true, result, exitCode: null };
    } catch (thrown) {
      if (stop.aborted) return failure(errorFromAbort(stop));
      const { error, ofRequest } = this.#failureFrom(thrown);
      return { ...failure(this.#withoutSecrets(error)), ...(ofRequest ? { ofRequest } : {}) };
    }
  }

  #failureFrom(thrown: unknown): HttpFailure {
    return thrown instanceof HttpFailure
      ? thrown
      : connectionFailure(thrown, new URL(this.#runtime.origin).host);
  }

  async #repeated(
    request: HttpRequest,
    call: Invocation,
    stop: CancelSignal,
    deadlineMs: number,
  ): Promise<string> {
    const { retries, method } = this.#runtime;
    const most = IDEMPOTENT_METHODS.has(method) ? retries : 0;
    for (let failures = 0; ;) {
      try {
        return await this.#once(request, call, stop);
      } catch (thrown) {
        if (stop.aborted) throw thrown;
        const failed = this.#failureFrom(thrown);
        const { againMs, error } = failed;
        const waitMs = againMs === null ? null : Math.max(againMs, backoffMs(++failures));
        if (waitMs === null || failures > most || this.#clock.now() + waitMs >= deadlineMs) throw failed;
        const told = `acheron: ${this.#secrets.redacted(error.message)} Asked again in ${waitMs} ms (${failures} of ${most}).\n`;
        call.onOutput('stderr', Buffer.from(told));
        await pause(waitMs, stop, this.#clock);
      }
    }
  }

  async #once(request: HttpRequest, call: Invocation, stop: CancelSignal): Promise<string> {
    const { origin, origins, redirects, pages } = this.#runtime;
    const options: SendOptions = {
      agent: this.#agent,
      signal: stop,
      credentials: await this.#credentials(stop),
      home: origin,
      origins,
      redirects,
      hasSecret: (text) => this.#secrets.redacted(text) !== text,
    };
    if (pages === null) return this.#resultOf(await this.#answered(request, options), call, options);
    return this.#allPages(request, call, options);
  }

  async #allPages(first: HttpRequest, call: Invocation, options: SendOptions): Promise<string> {
    const { limits, pages } = this.#runtime;
    if (pages === null) throw new TypeError('There are no pages.');
    const items: string[] = [];
    let left = limits.maxOutputBytes;
    let next: HttpRequest | null = first;
    let count = 0;
    for (; next !== null && count < pages.max; count++) {
      const answer = await this.#answered(next, options);
      const bytes = await this.#read(answer, left, undefined);
      left -= bytes.length;
      const json = documentFromBody(bytes, answer, 'json');
      const some = itemsOf(json, pages, answer.host);
      if (some !== '') items.push(some);
      call.onProgress?.({ done: count + 1, total: null, message: `${count + 1} pages` });
      next = nextPage(json, answer, first, pages, options);
    }
    const json = `{"items":[${items.join(',')}],"pages":${count},"has_more":${next !== null}}`;
    return mapped(json, this.#runtime.result, new URL(first.origin).host);
  }

  /** The answer where it is a success. @throws HttpFailure */
  async #answered(request: HttpRequest, options: SendOptions): Promise<HttpAnswer> {
    const answer = await send(request, options);
    const { status, asked, host, headers } = answer;
    if (status >= 200 && status < 300) return answer;
    const start = await startOfBody(answer, ERROR_BYTES);
    if (status === 401) for (const token of this.#tokens.values()) token.forget();
    throw statusFailure({
      status,
      host,
      request: `${asked.method} ${pathOnly(asked.path)}`,
      text: start.toString('utf8'),
      retryAfterMs: retryAfterFrom(headerOf(headers, 'retry-after'), this.#clock.now()),
      location: shortLocation(headerOf(headers, 'location')),
    });
  }

  async #resultOf(answer: HttpAnswer, call: Invocation, { signal }: SendOptions): Promise<string> {
    const { limits, output, response, result } = this.#runtime;
    const stream = output === 'text' ? null : streamKindOf(answer);
    let json: string;
    if (stream !== null) {
      json = await this.#streamed(answer, stream, call, signal);
    } else {
      const bytes = await this.#read(answer, limits.maxOutputBytes, call.onProgress);
      json = documentFromBody(bytes, answer, output);
    }
    return mapped(response === 'full' ? fullDocument(answer, json) : json, result, answer.host);
  }

  async #read(answer: HttpAnswer, maxBytes: number, onProgress: Invocation['onProgress']): Promise<Buffer> {
    try {
      // Before it becomes part of another text, which would write it differently.
      return this.#secrets.redactedBytes(await readBody(answer, maxBytes, onProgress));
    } catch (thrown) {
      throw connectionFailure(thrown, answer.host);
    }
  }

  async #streamed(
    answer: HttpAnswer,
    kind: 'ndjson' | 'sse',
    call: Invocation,
    stop: CancelSignal,
  ): Promise<string> {
    const hear = (line: string): void => call.onOutput('stdout', Buffer.from(this.#secrets.redacted(line)));
    try {
      return await readStream(answer, kind, this.#runtime.limits.maxOutputBytes, hear);
    } catch (thrown) {
      if (stop.aborted) throw thrown;
      // What was heard already would be heard twice.
      throw new HttpFailure(connectionFailure(thrown, answer.host).error);
    }
  }

  async #credentials(stop: CancelSignal): Promise<Credentials> {
    const tokenOf = async (auth: Extract<HttpAuth, { type: 'oauth2' }>): Promise<string> =>
      (this.#tokens.get(auth) ?? new OAuthToken(auth, this.#secrets, this.#clock)).get((url, request) =>
        this.#fetch(url, request, stop),
      );
    try {
      return await credentialsFrom(this.#runtime.auth, this.#secrets, tokenOf);
    } catch (thrown) {
      if (stop.aborted || thrown instanceof HttpFailure) throw thrown;
      throw new HttpFailure(FsError.from(thrown));
    }
  }

  /** For tokens: within the same limits as every request, and no redirects. */
  async #fetch(
    url: string,
    { method, headers, body }: { method: string; headers: Record<string, string>; body: string },
    signal: CancelSignal,
  ): Promise<Response> {
    const { origin, pathname, search } = new URL(url);
    const request = { method, origin, path: pathname + search, headers, body: Buffer.from(body) };
    const answer = await send(request, {
      agent: this.#agent,
      signal,
      credentials: { headers: {}, query: '' },
      home: origin,
      origins: [origin],
      redirects: 0,
      hasSecret: () => false,
    });
    const bytes = await readBody(answer, MAX_TOKEN_BYTES);
    const type = headerOf(answer.headers, 'content-type') ?? 'application/json';
    return new Response(bytes.length === 0 ? null : new Uint8Array(bytes), {
      status: answer.status,
      headers: { 'content-type': type },
    });
  }

  #withoutSecrets(error: FsError): FsError {
    const message = this.#secrets.redacted(error.message);
    if (message === error.message) return error;
    return new FsError(error.code, message, error.hint === undefined ? {} : { hint: error.hint });
  }
}

function pathOnly(path: string): string {
  return path.split('?')[0] ?? '';
}

/** Without what might be a secret of theirs. */
function shortLocation(location: string | undefined): string | null {
  return location === undefined ? null : (location.split(/[?#]/)[0] ?? '').slice(0, 200);
}
