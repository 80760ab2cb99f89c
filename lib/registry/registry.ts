import { setTimeout as sleep } from 'node:timers/promises';
import {
  Emitter,
  FsError,
  systemClock,
  type Clock,
  type JsonObject,
  type Log,
  type NodeId,
  type ServiceId,
} from '../core/index.js';
import type { Offers, ServiceDefinition } from '../manifest/index.js';
import type { ExposureCheck } from './exposed-files.js';
import type { FileFacts } from './manifest-file.js';
import { ManifestSet } from './manifest-set.js';
import { OfferedSet, type KnownOffers } from './offered-set.js';
import type { ReloadPlan } from './plan-reload.js';
import { planTexts } from './plan-texts.js';
import { reconcile, type ReconcileAction } from './reconcile.js';
import { reloadDocument } from './reload-document.js';
import { ReloadRecorder, type ReloadRecord, type ServedBefore } from './reload-record.js';
import { ReloadReporter, type ReloadReport } from './reload-reporter.js';
import { resolveClaims } from './resolve-claims.js';
import { faultFromRefusal, refuseStart } from './start-refusal.js';
import { TrustCheck } from '../drivers/index.js';
import { watchManifests, type ManifestWatch } from './watch-manifests.js';

export interface RegistryOptions {
  readonly nodeId: NodeId;
  /** In the order in which they were given. */
  readonly manifestFiles?: readonly string[];
  readonly servicesDirs?: readonly string[];
  /** Services that the program brings itself; they cannot be displaced. */
  readonly builtins?: readonly ServiceDefinition[];
  /** Takes manifests, folders and drivers that other users may write to. */
  readonly trustWritable?: boolean;
  /** Finds what others may write to through this very node: no service may run that, whatever is trusted. */
  readonly exposed?: ExposureCheck;
  /** Every file is looked at again this often; 0: only when the watch reports a change. Default 2000. */
  readonly reloadIntervalMs?: number;
  /** Watch the files. Default true. */
  readonly watch?: boolean;
  /** What manifests gave when they were read last, in an earlier life of the node, by source. */
  readonly servedBefore?: ReadonlyMap<string, ServedBefore>;
  /** What services offered in an earlier life of the node: it holds until they say otherwise. */
  readonly offersBefore?: ReadonlyMap<string, KnownOffers>;
  readonly log: Log;
  readonly clock?: Clock;
  /** Where programs are looked up; PATH by default. */
  readonly searchPath?: string;
}

/** What one reload changed; at least one list has an entry. */
export interface RegistryChange {
  readonly revision: number;
  readonly added: readonly ServiceDefinition[];
  readonly updated: readonly { readonly before: ServiceDefinition; readonly after: ServiceDefinition }[];
  readonly removed: readonly ServiceDefinition[];
}

/** Editors write, rename and chmod in one go: look once. */
const POKE_DELAY_MS = 4;
/** A file that never comes to rest does not hold up the start for longer. */
const START_WAIT_MS = 1000;

/** The live set of a node's services: owns their definitions, follows their manifests. */
export class Registry {
  /** What a reload changed, after `services` shows it. The first load is no change. */
  readonly changes = new Emitter<RegistryChange>();
  /** Faults of manifests as they come and go, after the changes of the same reload. */
  readonly reports = new Emitter<ReloadReport>();
  /** What a reload did, after all of it is in force; not where it changed nothing, and the same is wrong as before. */
  readonly reloads = new Emitter<ReloadRecord>();
  /** All that is offered, to be kept for the next life of the node. */
  readonly offered = new Emitter<ReadonlyMap<string, KnownOffers>>();
  readonly #options: RegistryOptions;
  readonly #clock: Clock;
  readonly #builtins: readonly ServiceDefinition[];
  readonly #manifests: ManifestSet;
  readonly #reporter: ReloadReporter;
  readonly #recorder: ReloadRecorder;
  /** For each service, the definition before its last update. */
  readonly #previous = new Map<ServiceId, ServiceDefinition>();
  readonly #offers: OfferedSet;
  readonly #timers = new Map<string, () => void>();
  #services: ReadonlyMap<ServiceId, ServiceDefinition> = new Map();
  #revision = 0;
  #checkedAtMs: number | null = null;
  #pass: Promise<void> | undefined;
  #again = false;
  #watch: ManifestWatch | undefined;
  #state: 'new' | 'running' | 'closed' = 'new';

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#builtins = options.builtins ?? [];
    const { manifestFiles = [], servicesDirs = [] } = options;
    this.#manifests = new ManifestSet({ manifestFiles, servicesDirs });
    this.#reporter = new ReloadReporter(options.log, this.reports);
    this.#offers = new OfferedSet(options.offersBefore);
    this.#recorder = new ReloadRecorder(options.servedBefore ?? new Map());
  }

  /** A snapshot: a change makes a new map. In the order of built-ins, named files, folders. */
  get services(): ReadonlyMap<ServiceId, ServiceDefinition> {
    return this.#services;
  }

  /** Counts the changes of `services`; 0 before `start`. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * Loads everything, then follows it. A faulty file of a services directory is left out and reported.
   * @throws FsError EEXIST where two sources give the same service or root; EINVAL where a manifest that was
   *   named, or a services directory, cannot be used. Nothing is left running then.
   */
  async start(): Promise<void> {
    if (this.#state !== 'new') throw new TypeError('A registry is started once.');
    this.#state = 'running';
    const waitEndsMs = performance.now() + START_WAIT_MS;
    try {
      for (;;) {
        await this.#load(true);
        if (this.#waitingMs === null || performance.now() >= waitEndsMs) break;
        await sleep(this.#waitingMs);
      }
      this.#apply();
      refuseStart(this.#manifests);
    } catch (thrown) {
      await this.close();
      throw thrown;
    }
    if (this.#closed) return;
    this.#reporter.reportFiles(this.#manifests.files);
    this.#record('start');
    if (this.#options.watch !== false) this.#startWatch();
    this.#planInterval();
  }

  /** What a service that runs offers beside itself, from now on: services of its manifest, as by a reload. */
  offer(serviceId: ServiceId, offers: Offers): void {
    if (!this.#offers.take(this.#services.get(serviceId), offers)) return;
    this.offered.emit(this.#offers.known);
    if (this.#state === 'running') void this.#look();
  }

  /** Looks at everything now, and resolves when what has changed is quiet and in force. */
  async reload(): Promise<void> {
    if (this.#state !== 'running') throw new TypeError('The registry is not running.');
    for (;;) {
      await this.#look();
      if (this.#waitingMs === null || this.#closed) return;
      await sleep(this.#waitingMs);
    }
  }

  /** `/control/nodes/<id>/reload.json`. Holds paths of this machine: for admins. */
  diagnostics(): JsonObject {
    return reloadDocument({
      nodeId: this.#options.nodeId,
      revision: this.#revision,
      checkedAtMs: this.#checkedAtMs,
      intervalMs: this.#intervalMs,
      watching: this.#watch !== undefined,
      trustWritable: this.#options.trustWritable === true,
      builtins: this.#builtins,
      manifests: this.#manifests,
      previous: this.#previous,
    });
  }

  /** How many manifests are faulty. */
  get faultyFiles(): number {
    return [...this.#manifests.files.values()].filter(({ faults }) => faults.length > 0).length;
  }

  /**
   * What a reload would do if these were the texts of these files, null for none; all that is not named stays, but for what
   * is in `inPlaceOf`. Nothing is changed.
   */
  async plan(texts: ReadonlyMap<string, string | null>, inPlaceOf: ReadonlySet<string>): Promise<ReloadPlan> {
    return planTexts(texts, inPlaceOf, this.#services, this.#fileFacts(false));
  }

  /** Where a manifest is that is named without a directory; undefined where there is none for it. */
  get firstServicesDir(): string | undefined {
    return this.#manifests.listing.folders[0];
  }

  /** Stops following. `services` stays as it was. Idempotent. */
  async close(): Promise<void> {
    this.#state = 'closed';
    for (const callOff of this.#timers.values()) callOff();
    this.#timers.clear();
    const watch = this.#watch;
    this.#watch = undefined;
    await watch?.close();
    await this.#pass;
  }

  get #closed(): boolean {
    return this.#state === 'closed';
  }

  get #waitingMs(): number | null {
    return this.#manifests.waitingMs;
  }

  get #intervalMs(): number {
    return this.#options.reloadIntervalMs ?? 2000;
  }

  #startWatch(): void {
    this.#watch = watchManifests(this.#manifests.listing, {
      poke: () => {
        if (!this.#timers.has('poke')) this.#plan('poke', POKE_DELAY_MS, () => void this.#look());
      },
      failed: (error) =>
        this.#options.log.warn('manifests cannot be watched; they are read at intervals alone', {
          error: error.message,
          interval_ms: this.#intervalMs,
        }),
    });
  }

  #planInterval(): void {
    const look = (): void => void this.#look().finally(() => this.#planInterval());
    if (this.#intervalMs > 0) this.#plan('interval', this.#intervalMs, look);
  }

  /** One timer for each purpose; a new one replaces it. */
  #plan(purpose: string, delayMs: number, act: () => void): void {
    this.#timers.get(purpose)?.();
    if (this.#closed) return;
    const callOff = this.#clock.after(delayMs, () => {
      this.#timers.delete(purpose);
      act();
    });
    this.#timers.set(purpose, callOff);
  }

  /** One look at a time; a call during one gets another after it. Never rejects. */
  #look(): Promise<void> {
    this.#again = true;
    this.#pass ??= this.#looks().finally(() => (this.#pass = undefined));
    return this.#pass;
  }

  async #looks(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      try {
        // All that is looked at meanwhile is in force at once.
        if ((await this.#load(false)) || this.#offers.isNew) {
          this.#apply();
          this.#reporter.reportFiles(this.#manifests.files);
          this.#record('change');
        } else if (this.#recorder.isOther(this.#manifests.listing.faults)) this.#record('change');
      } catch (thrown) {
        this.#options.log.error('manifests could not be reloaded', { error: FsError.from(thrown).message });
      }
    }
    if (this.#waitingMs !== null) this.#plan('settle', this.#waitingMs, () => void this.#look());
  }

  #record(reason: ReloadRecord['reason']): void {
    const { files, listing } = this.#manifests;
    const record = this.#recorder.record([...files.values()], listing.faults, {
      nowMs: this.#clock.now(),
      reason,
    });
    if (record !== undefined) this.reloads.emit(record);
  }

  /** True when there is something to apply. */
  async #load(starting: boolean): Promise<boolean> {
    const changed = await this.#manifests.look(this.#fileFacts(starting));
    this.#checkedAtMs = this.#clock.now();
    if (!starting && this.#reporter.reportFolders(this.#manifests.listing.faults)) await this.#watchAgain();
    return changed && !this.#closed;
  }

  #fileFacts(starting: boolean): FileFacts {
    return {
      nodeId: this.#options.nodeId,
      clock: this.#clock,
      starting,
      trust: this.#options.trustWritable === true ? null : new TrustCheck(),
      exposed: this.#options.exposed,
      searchPath: this.#options.searchPath ?? process.env['PATH'] ?? '',
    };
  }

  /** A folder that was away is another folder now, and the watch looks at the old one. */
  async #watchAgain(): Promise<void> {
    const watch = this.#watch;
    if (watch === undefined) return;
    await watch.close();
    if (!this.#closed) this.#startWatch();
  }

  #apply(): void {
    const { chosen, refusals } = resolveClaims(this.#manifests.candidates(this.#builtins));
    const refusalOf = new Map(refusals.map((refusal) => [refusal.source, refusal]));
    for (const file of this.#manifests.files.values()) {
      const refusal = refusalOf.get(file.path);
      file.refusal = refusal === undefined ? undefined : faultFromRefusal(refusal, file);
      file.held = file.gone ? undefined : chosen.get(file.path);
    }
    const desired = this.#offers.withOffered([...chosen.values()], this.#manifests.files.values());
    this.#enact(desired, reconcile(desired, this.#services));
  }

  /** Puts the actions in force, and reports them. Kept definitions stay the same objects. */
  #enact(desired: readonly ServiceDefinition[], actions: readonly ReconcileAction[]): void {
    const kept = new Map<ServiceId, ServiceDefinition>();
    const added: ServiceDefinition[] = [];
    const updated: { before: ServiceDefinition; after: ServiceDefinition }[] = [];
    const removed: ServiceDefinition[] = [];
    for (const action of actions) {
      if (action.type === 'keep') kept.set(action.definition.serviceId, action.definition);
      else if (action.type === 'add') added.push(action.definition);
      else if (action.type === 'remove') removed.push(action.definition);
      else updated.push({ before: action.before, after: action.after });
    }
    const first = this.#revision === 0;
    if (added.length + updated.length + removed.length === 0 && !first) return;
    this.#services = new Map(
      desired.map((definition) => [definition.serviceId, kept.get(definition.serviceId) ?? definition]),
    );
    this.#revision += 1;
    for (const { before } of updated) this.#previous.set(before.serviceId, before);
    for (const { serviceId } of removed) this.#previous.delete(serviceId);
    if (first) return;
    this.#options.log.info('services changed', {
      revision: this.#revision,
      added: added.map((definition) => definition.serviceId),
      updated: updated.map(({ after }) => after.serviceId),
      removed: removed.map((definition) => definition.serviceId),
    });
    this.changes.emit({ revision: this.#revision, added, updated, removed });
  }
}
