import { rmSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { basename, dirname } from 'node:path';
import {
  Emitter,
  FsError,
  UndoStack,
  systemClock,
  type JsonObject,
  type Log,
  type MetricFamily,
  type NodeId,
  type ServiceId,
  type Tracer,
  type Unsubscribe,
} from '../core/index.js';
import type { InProcessNodeFacts } from '../control/index.js';
import { DiskReserve, FileLock, openStateDir, stateFailure } from '../disk/index.js';
import {
  AheadStarts,
  FileLedger,
  containDrivers,
  addressRules,
  createDriver,
  endLeftovers,
  type Driver,
  type DriverContext,
  type NewPrivileges,
} from '../drivers/index.js';
import type { Offers, ServiceDefinition } from '../manifest/index.js';
import {
  KeptOffers,
  NodeAuditLog,
  NodeHistory,
  NodeReloads,
  exposedByExports,
  forbiddenPaths,
  inputCheckOf,
  planFile,
  usersFrom,
  warnAboutRoot,
  type ExportRequest,
  type UserOptions,
} from '../node/index.js';
import type { Action, Session } from '../policy/index.js';
import { Registry } from '../registry/index.js';
import {
  DEFAULT_JOB_LIMITS,
  NodeDir,
  ServiceHost,
  publishedDescriptor,
  stateOf,
  type HistorySource,
  type JobLimits,
} from '../services/index.js';
import { MapDir, type Change, type Node, type Op } from '../vfs/index.js';
import { EventFeed, type NodeEntry, type NodeSource } from '../worldfs/index.js';
import { actionsAt } from './actions-at.js';
import { processMetrics } from '../telemetry/index.js';
import { NodeEvents } from './node-events.js';
import { metricsDocument, nodeMetrics, requireAdmin } from './node-metrics.js';
import { openBuiltins, providersOf, type BuiltinService } from './builtin-services.js';

export interface RunningNodeOptions extends UserOptions {
  readonly nodeId: NodeId;
  readonly nodeName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  readonly stateFile: string;
  readonly manifestFiles: readonly string[];
  readonly servicesDirs: readonly string[];
  readonly reloadIntervalMs: number;
  readonly trustWritable: boolean;
  readonly fsync: boolean;
  readonly jobLimits?: JobLimits;
  /** Bytes of audit records kept at most until the control plane has them. */
  readonly auditKeepBytes?: number;
  /**
   * How drivers and terminals are kept from gaining privileges by set-id programs. By default the process of
   * the node itself gives that up, for good: it starts none either from then on.
   */
  readonly newPrivileges?: NewPrivileges;
  /** Addresses that are not public and that services may reach all the same: ranges, or `loopback`, `private`, `link-local`, `all`. */
  readonly allowPrivate?: readonly string[];
  /** Directories to show as the service `fs`. */
  readonly exports: readonly ExportRequest[];
  /** Ids of terminals to offer. */
  readonly terminals: readonly string[];
  /** The mount point, if there is one: no export may contain it. */
  readonly mountDir: string | null;
  /** Files and directories with secrets or settings that no export may overlap, beside those named here otherwise. */
  readonly keptApart?: readonly string[];
  /** True where the caller holds the lock of the state file, because it keeps credentials in it. */
  readonly stateIsLocked?: boolean;
  /** True where the caller says by `beginAhead` when drivers may start processes and threads ahead of calls. */
  readonly holdsAhead?: boolean;
  /** Where calls are on record as spans. */
  readonly tracer?: Tracer | null;
  readonly log: Log;
}

interface Parts {
  readonly options: RunningNodeOptions;
  readonly context: DriverContext;
  readonly builtins: readonly BuiltinService[];
  readonly audit: NodeAuditLog;
  readonly history: NodeHistory;
  readonly reloads: NodeReloads;
  readonly reserve: DiskReserve;
  /** How all of it is closed. */
  readonly undo: UndoStack;
}

/** A running node: registry, services and their state, as one entry of the world. */
export class RunningNode implements NodeSource {
  readonly changes = new Emitter<Change>();
  readonly appearances = new Emitter<string>();
  readonly events: EventFeed;
  readonly host: ServiceHost;
  readonly registry: Registry;
  readonly dir: NodeDir;
  readonly audit: NodeAuditLog;
  readonly history: NodeHistory;
  readonly reloads: NodeReloads;
  /** `plan.json`: for admins. */
  readonly plan: Node;
  /** Whether its control plane is connected; null: it has none. Who links it says so. */
  connected: boolean | null = null;
  /** `metrics`: for admins. */
  readonly metricsFile: Node;
  readonly #options: RunningNodeOptions;
  readonly #undo: UndoStack;
  readonly #builtins: readonly BuiltinService[];
  readonly #context: DriverContext;
  readonly #startedAtMs = systemClock.now();
  readonly #feed: NodeEvents;
  #nodeProjects: readonly string[] = [];
  #shownHistory: HistorySource | null = null;
  #closed: Promise<void> | null = null;

  private constructor({ options, context, builtins, audit, history, reloads, reserve, undo }: Parts) {
    this.#options = options;
    this.#builtins = builtins;
    this.#context = context;
    this.#undo = undo;
    this.audit = audit;
    this.history = history;
    this.reloads = reloads;
    const { stateFile, log } = options;
    this.events = new EventFeed(this.#startedAtMs);
    this.host = new ServiceHost({
      nodeId: options.nodeId,
      nodeName: options.nodeName,
      platform: `${platform()}-${arch()}`,
      clock: systemClock,
      log,
      stateFile,
      jobsDir: `${stateFile}.jobs`,
      jobLimits: options.jobLimits ?? DEFAULT_JOB_LIMITS,
      fsync: options.fsync,
      tracer: options.tracer ?? null,
      reserve,
      driverContext: context,
      createDriver: (definition) => this.#driverOf(definition),
      inputCheck: inputCheckOf,
      audit: (record) => this.audit.record(record),
      auditedEnd: (invocationId, endedAtMs) => this.audit.hasEnd(invocationId, endedAtMs),
      history: () => this.#shownHistory ?? this.history,
      nodeProjects: () => this.#nodeProjects,
    });
    const keptOffers = new KeptOffers(`${stateFile}.offers.json`, log);
    this.registry = new Registry({
      nodeId: options.nodeId,
      manifestFiles: options.manifestFiles,
      servicesDirs: options.servicesDirs,
      builtins: this.#builtins.map(({ definition }) => definition),
      trustWritable: options.trustWritable,
      exposed: exposedByExports(options),
      reloadIntervalMs: options.reloadIntervalMs,
      servedBefore: history.servedBefore(),
      offersBefore: keptOffers.load(),
      log,
    });
    this.registry.offered.on((offers) => keptOffers.save(offers));
    this.plan = planFile(options.nodeId, this.registry, requireAdmin);
    this.metricsFile = metricsDocument(() => this.metrics(true));
    this.dir = new NodeDir(this.host, {
      labels: options.labels,
      version: options.version,
      providers: providersOf(this.#builtins),
      control: new MapDir(
        new Map([
          ['plan.json', this.plan],
          ['metrics', this.metricsFile],
        ]),
        { check: requireAdmin },
      ),
    });
    this.#feed = new NodeEvents({
      ...{
        nodeId: options.nodeId,
        host: this.host,
        registry: this.registry,
        events: this.events,
        audit,
        history,
        reloads,
        log,
      },
      nodeProjects: () => this.#nodeProjects,
    });
    this.host.changes.on((change) => this.changes.emit(change));
    for (const { provider } of this.#builtins)
      provider?.tree.changes.on((change) => this.changes.emit(change));
  }

  /**
   * Loads manifests and state, and ends what a killed node left running.
   * @throws FsError EBUSY when another process uses the state; what the registry and the state file throw.
   */
  static async start(options: RunningNodeOptions): Promise<RunningNode> {
    const undo = new UndoStack();
    try {
      return await RunningNode.#startWith(options, undo);
    } catch (thrown) {
      await undo.undoAfterFailure((failure) =>
        options.log.warn('A node that did not start was not undone cleanly.', { error: failure }),
      );
      throw stateFailure(thrown, dirname(options.stateFile));
    }
  }

  static async #startWith(options: RunningNodeOptions, undo: UndoStack): Promise<RunningNode> {
    const { nodeId, stateFile, log } = options;
    const own = basename(stateFile);
    openStateDir(dirname(stateFile), (name) => name.startsWith(own));
    const lock = options.stateIsLocked === true ? null : FileLock.tryAcquire(`${stateFile}.lock`);
    if (lock === undefined) {
      throw new FsError('EBUSY', `Another node is using the state file ${stateFile}.`, {
        hint: `To end that one: acheron stop --state-dir ${dirname(stateFile)}. Or give this one a --state-dir (or --state-file) of its own.`,
        path: stateFile,
      });
    }
    undo.add(() => lock?.release());
    const reserve = new DiskReserve(`${stateFile}.reserve`, { log });
    undo.add(() => reserve.close());
    containDrivers(options.newPrivileges ?? 'process', log);
    const { drivers, terminals } = usersFrom(options, `${stateFile}.uids.json`, nodeId);
    warnAboutRoot({ drivers, terminals }, options.terminals.length > 0, log);
    rmSync(`${stateFile}.configs`, { recursive: true, force: true }); // of an earlier release
    const ledgerFile = `${stateFile}.processes`;
    await endLeftovers(ledgerFile);
    const ledger = new FileLedger(ledgerFile);
    undo.add(() => ledger.close());
    const context = {
      nodeId,
      ledger,
      driverUser: drivers,
      refusesWritable: !options.trustWritable,
      addresses: addressRules(options.allowPrivate ?? []),
      log,
      clock: systemClock,
      onOffers: (serviceId: ServiceId, offers: Offers) => running.node?.registry.offer(serviceId, offers),
      ahead: new AheadStarts(options.holdsAhead === true),
    };
    const running: { node: RunningNode | null } = { node: null };
    const may = (session: Session, action: 'observe' | 'read' | 'write'): boolean =>
      running.node?.host.dir('fs')?.service.gate.allows(session, action) === true;
    const builtins = await openBuiltins(
      { ...options, forbidden: forbiddenPaths(options) },
      context,
      terminals,
      {
        maySee: (session) => may(session, 'observe'),
        mayRead: (session) => may(session, 'read'),
        mayWrite: (session) => may(session, 'write'),
        denied: (session) => running.node?.host.dir('fs')?.service.authorize(session, 'write'),
      },
    );
    for (const { provider } of builtins) undo.add(() => provider?.tree.close());
    const audit = new NodeAuditLog(
      `${stateFile}.audit.ndjson`,
      () => systemClock.now(),
      log,
      options.auditKeepBytes,
    );
    undo.add(() => audit.close());
    const history = new NodeHistory(`${stateFile}.history.ndjson`, { clock: systemClock, log });
    undo.add(() => history.close());
    const reloads = new NodeReloads(`${stateFile}.reloads.ndjson`, { log });
    undo.add(() => reloads.close());
    const node = new RunningNode({ options, context, builtins, audit, history, reloads, reserve, undo });
    undo.add(() => node.host.close());
    undo.add(() => node.registry.close());
    running.node = node;
    await node.#start();
    return node;
  }

  /** The node serves now: what drivers start ahead of calls no longer slows it down. */
  beginAhead(): void {
    this.#context.ahead?.release();
  }

  /** The projects that name this node, as its control plane says: rights are judged by them from now on. */
  setNodeProjects(projects: readonly string[]): void {
    if (JSON.stringify(projects) === JSON.stringify(this.#nodeProjects)) return;
    this.#nodeProjects = projects;
    this.host.forgetDecisions();
  }

  /** Its trees show the history of its services from there; null: from where it keeps it itself. */
  setHistory(source: HistorySource | null): void {
    this.#shownHistory = source;
  }

  /** `changed` is called each time that `catalog` may have changed. */
  onCatalogChange(changed: () => void): Unsubscribe {
    const stop = [
      this.registry.changes.on(changed),
      this.registry.reports.on(changed),
      this.host.events.on(({ type }) => {
        if (type !== 'invocation_finished') changed();
      }),
    ];
    return () => stop.forEach((unsubscribe) => unsubscribe());
  }

  get tracer(): Tracer | null {
    return this.#options.tracer ?? null;
  }
  /** What it measures; `named`: by service. */
  metrics(named: boolean): MetricFamily[] {
    const services = this.host.dirs.map(({ service }) => service);
    const { faultyFiles } = this.registry;
    const measured = { ...this.#options, services, faultyFiles, connected: this.connected };
    return [...nodeMetrics(measured, named), ...processMetrics(this.#startedAtMs)];
  }

  /** What a control plane knows of it beside its services. */
  get facts(): InProcessNodeFacts {
    const { nodeId, labels } = this.#options;
    return { nodeName: nodeId, platform: this.host.environment.platform, labels };
  }

  /** What the catalog of a control plane shows of this node. */
  catalog(): { services: JsonObject[]; reload: JsonObject } {
    const services = this.host.dirs.map(({ service }) => ({
      ...publishedDescriptor(service),
      state: stateOf(service),
    }));
    const { checked_at: _checkedAt, ...reload } = this.registry.diagnostics();
    return { services, reload };
  }

  actionsOf(session: Session): readonly Action[] {
    return actionsAt(this.host, session);
  }

  visible(op: Op): readonly NodeEntry[] {
    if (!this.dir.isSeenBy(op)) return [];
    const { nodeId, nodeName, labels } = this.#options;
    return [
      {
        nodeId,
        root: this.dir,
        summary: { node_id: nodeId, name: nodeName, path: `/nodes/${nodeId}`, state: 'online', labels },
        services: (later) => this.dir.index(later),
      },
    ];
  }

  /** Takes no more calls, and settles when those that run have ended by themselves. Their outcomes can be read until `close`. */
  drain(): Promise<void> {
    return this.host.drain();
  }

  close(): Promise<void> {
    this.#closed ??= this.#undo.undo();
    return this.#closed;
  }

  async #start(): Promise<void> {
    await this.registry.start();
    this.#feed.start();
    this.host.apply({ added: [...this.registry.services.values()], updated: [], removed: [] });
    this.registry.changes.on((change) => {
      this.host.apply(change);
      this.appearances.emit(this.#options.nodeId);
      // What is reported can be opened by then.
      this.#feed.servicesChanged(change);
    });
  }

  #driverOf(definition: ServiceDefinition): Driver | null {
    const builtin = this.#builtins.find((service) => service.definition.serviceId === definition.serviceId);
    if (builtin !== undefined) return builtin.driver;
    return createDriver(definition, this.#context);
  }
}
