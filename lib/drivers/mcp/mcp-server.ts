import { canonicalJson, FsError } from '../../core/index.js';
import type { McpServerSettings } from '../../manifest/index.js';
import type { Caller } from '../contract.js';
import type { DriverContext } from '../driver-context.js';
import { FaultState } from '../fault-state.js';
import { Program } from '../native-proc/program.js';
import { filledHeaders, readEnvFile } from './env-file.js';
import { ListFollower } from './list-follower.js';
import { ResourceFolder } from './resource-folder.js';
import type { McpSession, SessionListener } from './session.js';
import { SessionKeeper } from './session-keeper.js';

/** Conversations of principals that are kept at a time, and how long one without calls is. */
const MAX_PRINCIPALS = 64;
const IDLE_MS = 10 * 60_000;

/** The servers that run, by the node that runs them and their settings. */
const running = new WeakMap<DriverContext, Map<string, McpServer>>();

/**
 * One MCP server, which the service of its manifest and all that it offers share: it ends with the last of them. It
 * is talked to in one conversation, or in one for each principal, beside that in which it says what it offers.
 */
export class McpServer {
  /** Why calls cannot succeed. */
  readonly faults = new FaultState();
  /** The same, or why it is not known what the server offers. */
  readonly ownFaults = new FaultState();
  readonly settings: McpServerSettings;
  readonly lists: ListFollower;
  readonly resources: ResourceFolder;
  readonly #context: DriverContext;
  readonly #forget: () => void;
  readonly #program: Program | null;
  readonly #base: SessionKeeper;
  readonly #principals = new Map<string, SessionKeeper>();
  #users = 0;
  #callOffIdle: (() => void) | undefined;
  #isClosed = false;

  private constructor(settings: McpServerSettings, context: DriverContext, forget: () => void) {
    this.settings = settings;
    this.#context = context;
    this.#forget = forget;
    this.#program = programOf(settings, context);
    this.#base = this.#keeper(true);
    this.lists = new ListFollower(
      () => this.#base.session,
      (offers) => context.onOffers?.(settings.serviceId, offers),
      context,
    );
    this.resources = new ResourceFolder({
      lists: this.lists,
      isPerPrincipal: settings.session === 'principal',
      sessionOf: (caller) => this.sessionOf(caller),
      clock: context.clock,
    });
    for (const faults of [this.#base.faults, this.lists.faults]) faults.on(() => this.#judge());
    this.#program?.faults.on((fault) => {
      this.#judge();
      if (fault === null) this.#base.begin();
    });
    this.#judge();
    if (this.#program?.faults.current != null) return;
    if (context.ahead === undefined) this.#base.begin();
    else context.ahead.begin(() => this.#base.begin());
  }

  /** The server of these settings, begun where it does not run; `release` it once. */
  static acquire(settings: McpServerSettings, context: DriverContext): McpServer {
    let servers = running.get(context);
    if (servers === undefined) running.set(context, (servers = new Map<string, McpServer>()));
    const key = canonicalJson(settings);
    const known = servers;
    let server = known.get(key);
    if (server === undefined)
      known.set(key, (server = new McpServer(settings, context, () => known.delete(key))));
    server.#users++;
    return server;
  }

  async release(): Promise<void> {
    if (--this.#users > 0) return;
    this.#isClosed = true;
    this.#forget();
    this.#callOffIdle?.();
    this.lists.close();
    this.#program?.close();
    await Promise.all([this.#base, ...this.#principals.values()].map((keeper) => keeper.close()));
  }

  async restart(): Promise<void> {
    this.#program?.started(null);
    this.#program?.check();
    const others = [...this.#principals.values()];
    this.#principals.clear();
    await Promise.all([this.#base.restart(), ...others.map((keeper) => keeper.close())]);
  }

  /** The process of the conversation that all share, for tests and diagnosis. */
  get pid(): number | null {
    return this.#base.session?.pid ?? null;
  }

  /**
   * The conversation of a caller.
   * @throws FsError with why there is none
   */
  async sessionOf(caller: Caller): Promise<McpSession> {
    const obstacle = this.#program?.obstacleNow() ?? null;
    if (obstacle !== null) throw obstacle;
    if (this.settings.session === 'shared') return this.#base.get();
    const name = caller.principal ?? JSON.stringify([caller.role, caller.agentId, caller.projectId]);
    let keeper = this.#principals.get(name);
    if (keeper === undefined) {
      if (this.#principals.size >= MAX_PRINCIPALS) this.#endIdlest();
      this.#principals.set(name, (keeper = this.#keeper(false)));
      this.#watchIdle();
    }
    return keeper.get();
  }

  #judge(): void {
    const fault = this.#program?.faults.current ?? this.#base.faults.current;
    this.faults.set(fault);
    this.ownFaults.set(fault ?? this.lists.faults.current);
  }

  #keeper(isBase: boolean): SessionKeeper {
    const listener: SessionListener = {
      listChanged: () => {
        if (isBase) this.lists.changed();
      },
      resourceChanged: () => this.resources.forget(),
    };
    return new SessionKeeper({
      open: (signal) => this.#open(listener, signal),
      clock: this.#context.clock,
      isKept: isBase,
      givesUp: isBase && this.#program !== null,
      onOpen: () => {
        if (isBase) this.lists.changed();
      },
    });
  }

  async #open(listener: SessionListener, signal: AbortSignal): Promise<McpSession> {
    if (this.#isClosed) throw new FsError('ECANCELED', 'The service was stopped.');
    const { settings } = this;
    const secrets = settings.envFile === null ? {} : readEnvFile(settings.envFile);
    const program = this.#program;
    const obstacle = program?.obstacleNow() ?? null;
    if (obstacle !== null) throw obstacle;
    const { openSession } = await import('./open-session.js');
    const headers = filledHeaders(settings.headers, { ...process.env, ...settings.env, ...secrets });
    const command = program?.command(settings.program?.args ?? [], { ...program.env, ...secrets }) ?? null;
    return openSession({ settings, command, headers, context: this.#context, listener, signal });
  }

  /** Makes room for another principal. */
  #endIdlest(): void {
    const [idlest] = [...this.#principals].sort(([, a], [, b]) => a.usedAtMs - b.usedAtMs);
    if (idlest !== undefined) this.#end(...idlest);
  }

  #end(name: string, keeper: SessionKeeper): void {
    this.#principals.delete(name);
    void keeper.close();
  }

  #watchIdle(): void {
    const { clock } = this.#context;
    this.#callOffIdle ??= clock.after(IDLE_MS / 2, () => {
      this.#callOffIdle = undefined;
      for (const [name, keeper] of this.#principals)
        if (clock.now() - keeper.usedAtMs > IDLE_MS) this.#end(name, keeper);
      if (this.#principals.size > 0) this.#watchIdle();
    });
  }
}

function programOf(
  { serviceId, program, env, limits }: McpServerSettings,
  context: DriverContext,
): Program | null {
  if (program === null) return null;
  return new Program(
    serviceId,
    {
      ...{
        type: 'native_proc',
        mode: 'persistent',
        allowDash: true,
        output: 'json',
        warmCount: 1,
        probe: null,
      },
      ...{ ...program, env, limits },
    },
    context,
  );
}
