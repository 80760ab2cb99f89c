import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AccessChange, McpCaller, McpPages, McpUse } from '../control/index.js';
import { FsError, isId, type Log } from '../core/index.js';
import type { McpHttpEndpoint, McpSource } from '../mcp-server/index.js';
import type { Session } from '../policy/index.js';
import type { Vfs } from '../vfs/index.js';

/** How long a session that nobody uses is kept. */
const IDLE_MS = 10 * 60 * 1000;
const SWEEP_MS = 60 * 1000;
/** Selections of services at a time with one session. */
const MAX_SELECTIONS = 16;
/** Most clients give up after a minute. */
const PATIENCE_MS = 50_000;

export interface PlaneMcpOptions {
  readonly tree: Vfs;
  readonly version: string;
  readonly log: Log;
  /** A session of ours has ended. */
  readonly onEnd: (sessionId: string) => void;
}

interface Offer {
  readonly source: McpSource;
  readonly endpoint: McpHttpEndpoint;
}

/** `/mcp`: each session's services as tools. What it needs is loaded when it is first asked for. */
export class PlaneMcp implements McpPages {
  readonly #options: PlaneMcpOptions;
  readonly #tenants = new Map<string, Tenant>();
  /** Those whose session is being made. */
  readonly #begun = new Map<string, Promise<Tenant>>();
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: PlaneMcpOptions) {
    this.#options = options;
  }

  async answer(caller: McpCaller, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const room = await import('../mcp-server/index.js');
    const tenant = await this.#tenant(caller);
    await tenant.answer(room, request, response);
  }

  /** Rights changed: whoever they concern is told of what that changes. */
  changed(change: AccessChange): void {
    for (const tenant of this.#tenants.values())
      if (change === 'all' || change.sessionIds.includes(tenant.id)) tenant.doubt();
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    const tenants = [...this.#tenants.values()];
    this.#tenants.clear();
    await Promise.all(tenants.map((tenant) => tenant.close()));
  }

  /** Two requests at once have one session. */
  #tenant(caller: McpCaller): Promise<Tenant> {
    const { key } = caller;
    const known = this.#tenants.get(key);
    if (known !== undefined) return Promise.resolve(known);
    let begun = this.#begun.get(key);
    if (begun === undefined) {
      begun = this.#begin(caller).finally(() => this.#begun.delete(key));
      this.#begun.set(key, begun);
    }
    return begun;
  }

  async #begin({ key, begin }: McpCaller): Promise<Tenant> {
    const tenant = new Tenant(await begin(), this.#options, () => this.#end(key));
    this.#tenants.set(key, tenant);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    return tenant;
  }

  #sweep(): void {
    const before = Date.now() - IDLE_MS;
    for (const [key, tenant] of this.#tenants) if (tenant.isIdleSince(before)) this.#end(key);
  }

  #end(key: string): void {
    const tenant = this.#tenants.get(key);
    this.#tenants.delete(key);
    tenant?.close().catch((thrown: unknown) =>
      this.#options.log.warn('A session of /mcp did not end cleanly.', {
        error: FsError.from(thrown).message,
      }),
    );
  }
}

/** What one session has of it. */
class Tenant {
  readonly id: string;
  readonly #use: McpUse;
  readonly #options: PlaneMcpOptions;
  readonly #offers = new Map<string, Offer>();
  readonly #stopListening: () => void;

  constructor(use: McpUse, options: PlaneMcpOptions, end: () => void) {
    this.#use = use;
    this.id = use.session.id;
    this.#options = options;
    this.#stopListening = use.session.changes.on(({ revoked }) => {
      if (revoked) end();
    });
  }

  async answer(
    room: typeof import('../mcp-server/index.js'),
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    await this.#offer(room, request.url ?? '').endpoint.answer(request, response);
  }

  doubt(): void {
    for (const { source } of this.#offers.values()) source.catalog.doubt();
  }

  isIdleSince(ms: number): boolean {
    return [...this.#offers.values()].every(({ endpoint }) => (endpoint.idleSinceMs() ?? Infinity) < ms);
  }

  async close(): Promise<void> {
    this.#stopListening();
    await Promise.all(
      [...this.#offers.values()].map(async ({ source, endpoint }) => {
        source.close();
        await endpoint.close();
      }),
    );
    this.#use.release();
    this.#options.onEnd(this.id);
  }

  #offer({ McpSource, McpHttpEndpoint }: typeof import('../mcp-server/index.js'), url: string): Offer {
    const selection = selectionFrom(url);
    const key = JSON.stringify(selection);
    let offer = this.#offers.get(key);
    if (offer === undefined) {
      if (this.#offers.size >= MAX_SELECTIONS)
        throw new FsError('EBUSY', 'Too many selections of services with this token.');
      const { tree, version, log } = this.#options;
      const session = (): Session => {
        const { current } = this.#use.session;
        if (current.revoked) throw new FsError('EACCES', 'The token or the session was revoked.');
        return current;
      };
      const never = new AbortController().signal;
      const seen = {
        root: tree.root,
        changes: tree.changes,
        op: (signal = never) => ({ session: session(), signal }),
      };
      const source = new McpSource(seen, { ...selection, version, patienceMs: PATIENCE_MS });
      const endpoint = new McpHttpEndpoint(source, (error) =>
        log.debug('A request to /mcp was not as it should be.', { error: FsError.from(error).message }),
      );
      this.#offers.set(key, (offer = { source, endpoint }));
    }
    return offer;
  }
}

/** Which services are offered, as the address says: `?node=…&only=…&compact`. */
function selectionFrom(url: string): { node?: string; only?: string[]; compact: boolean } {
  const { searchParams } = new URL(url, 'http://localhost');
  const node = searchParams.get('node');
  const only = searchParams.getAll('only').filter((text) => text.length <= 300);
  const compact = searchParams.has('compact') && searchParams.get('compact') !== 'false';
  return {
    compact,
    ...(isId(node) ? { node } : {}),
    ...(only.length === 0 ? {} : { only: only.slice(0, 64) }),
  };
}
