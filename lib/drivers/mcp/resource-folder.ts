import { createHash } from 'node:crypto';
import { FsError, isJsonObject, type Clock, type JsonObject } from '../../core/index.js';
import type { Caller, DriverFile, DriverFileContent, DriverFolder } from '../contract.js';
import { resourceNames } from './resource-names.js';
import type { McpSession } from './session.js';

/** A reader of files waits no longer; nor does the next one for a server that has just kept one waiting. */
const READ_MS = 5_000;
/** What was read for the attributes of a file serves who opens it right after. */
const REUSE_MS = 500;
const MAX_KEPT = 256;
const MAX_KEPT_BYTES = 64 * 1024;

/** What is known of a resource as a caller sees it. */
interface Known {
  readonly hash: string;
  readonly changedAtMs: number;
  readonly readAtMs: number;
  /** Null: too large to be kept. */
  readonly bytes: Uint8Array | null;
}

export interface ResourceServer {
  /** What it lists. */
  readonly lists: { readonly current: JsonObject | null };
  readonly isPerPrincipal: boolean;
  sessionOf(caller: Caller): Promise<McpSession>;
  readonly clock: Clock;
}

/** `resources/`: what a server has at addresses, read when it is opened. */
export class ResourceFolder implements DriverFolder {
  readonly name = 'resources';
  readonly #server: ResourceServer;
  /** By address, and caller where each has a conversation. */
  readonly #known = new Map<string, Known>();
  readonly #subscribed = new WeakMap<McpSession, Set<string>>();
  #listed: unknown;
  #entries: ReadonlyMap<string, DriverFile> = new Map();
  #changedAtMs: number;
  #silentUntilMs = -Infinity;

  constructor(server: ResourceServer) {
    this.#server = server;
    this.#changedAtMs = server.clock.now();
  }

  get changedAtMs(): number {
    this.entries();
    return this.#changedAtMs;
  }

  entries(): ReadonlyMap<string, DriverFile> {
    const listed = this.#server.lists.current?.['resources'];
    if (listed === this.#listed) return this.#entries;
    this.#listed = listed;
    this.#changedAtMs = this.#server.clock.now();
    const uris = (Array.isArray(listed) ? (listed as readonly unknown[]) : []).flatMap((one) =>
      isJsonObject(one) && typeof one['uri'] === 'string' ? [one['uri']] : [],
    );
    this.#entries = new Map(
      [...resourceNames([...new Set(uris)])].map(([name, uri]): [string, DriverFile] => [
        name,
        { read: (caller, signal) => this.#read(uri, caller, signal) },
      ]),
    );
    return this.#entries;
  }

  /** Whatever was read may be other by now. */
  forget(): void {
    for (const [key, known] of this.#known) this.#known.set(key, { ...known, bytes: null });
  }

  async #read(uri: string, caller: Caller, signal: AbortSignal): Promise<DriverFileContent> {
    const { clock, isPerPrincipal } = this.#server;
    const key = JSON.stringify([uri, isPerPrincipal ? (caller.principal ?? null) : null]);
    const before = this.#known.get(key);
    if (before?.bytes != null && clock.now() - before.readAtMs < REUSE_MS)
      return { bytes: before.bytes, changedAtMs: before.changedAtMs };
    if (clock.now() < this.#silentUntilMs) throw silent();
    const bytes = await this.#ask(uri, caller, signal);
    const hash = createHash('sha256').update(bytes).digest('hex');
    const now = clock.now();
    const changedAtMs = before?.hash === hash ? before.changedAtMs : now;
    this.#known.delete(key);
    this.#known.set(key, {
      hash,
      changedAtMs,
      readAtMs: now,
      bytes: bytes.length <= MAX_KEPT_BYTES ? bytes : null,
    });
    if (this.#known.size > MAX_KEPT)
      for (const oldest of [...this.#known.keys()].slice(0, 1)) this.#known.delete(oldest);
    return { bytes, changedAtMs };
  }

  async #ask(uri: string, caller: Caller, signal: AbortSignal): Promise<Uint8Array> {
    const { clock } = this.#server;
    const controller = new AbortController();
    const stopped = new Promise<FsError>((resolve) => {
      controller.signal.addEventListener('abort', () => resolve(controller.signal.reason as FsError), {
        once: true,
      });
    });
    const abandon = (): void => controller.abort(FsError.from(signal.reason));
    signal.addEventListener('abort', abandon, { once: true });
    const callOff = clock.after(READ_MS, () => {
      this.#silentUntilMs = clock.now() + READ_MS;
      controller.abort(silent());
    });
    try {
      const session = await Promise.race([this.#server.sessionOf(caller), stopped]);
      if (FsError.is(session)) throw session;
      this.#subscribe(session, uri);
      const read = await Promise.race([session.read(uri, controller.signal), stopped]);
      if (FsError.is(read)) throw read;
      return read.bytes;
    } finally {
      callOff();
      signal.removeEventListener('abort', abandon);
    }
  }

  /** Once for each conversation; where that is refused, what was read is only older for a moment. */
  #subscribe(session: McpSession, uri: string): void {
    const uris = this.#subscribed.get(session) ?? new Set();
    this.#subscribed.set(session, uris);
    if (uris.has(uri) || uris.size >= MAX_KEPT) return;
    uris.add(uri);
    session.subscribe(uri).catch(() => undefined);
  }
}

function silent(): FsError {
  return new FsError('EIO', `The MCP server did not answer within ${READ_MS} ms.`, {
    hint: 'Read it again later; control/restart of the server starts it anew.',
  });
}
