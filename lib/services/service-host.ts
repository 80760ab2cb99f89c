import { existsSync } from 'node:fs';
import { Emitter, FsError, type JsonObject } from '../core/index.js';
import type { ServiceDefinition } from '../manifest/index.js';
import type { Change } from '../vfs/index.js';
import type { ServiceEnvironment, ServiceEvent } from './environment.js';
import { recordFromServiceState, serviceStateFrom } from './service-state.js';
import { Service } from './service.js';
import { RuntimeStateFile } from './state-file.js';
import { ServiceDir } from './tree/service-dir.js';

/** What differs between two sets of definitions. */
export interface DefinitionChanges {
  readonly added: readonly ServiceDefinition[];
  readonly updated: readonly { readonly before: ServiceDefinition; readonly after: ServiceDefinition }[];
  readonly removed: readonly ServiceDefinition[];
}

export interface ServiceHostOptions extends Omit<ServiceEnvironment, 'saveState' | 'emit'> {
  readonly stateFile: string;
}

/** The services that run on this node: follows the registry's definitions, keeps their state. */
export class ServiceHost {
  /** What no longer is as it was in the service directories. */
  readonly changes = new Emitter<Change>();
  /** Other definitions are served from now on. */
  readonly applied = new Emitter<DefinitionChanges>();
  readonly events = new Emitter<ServiceEvent>();
  readonly #environment: ServiceEnvironment;
  readonly #file: RuntimeStateFile;
  readonly #saved: Map<string, JsonObject>;
  readonly #dirs = new Map<string, ServiceDir>();

  /** @throws FsError when the state file is damaged or newer than this program. */
  constructor(options: ServiceHostOptions) {
    const { stateFile, ...environment } = options;
    this.#environment = {
      ...environment,
      saveState: () => this.#save(),
      emit: (event) => this.events.emit(event),
    };
    const path = `${stateFile}.runtime-services.json`;
    if (!existsSync(path) && existsSync(options.jobsDir))
      options.log.warn(
        'A file of state is missing: each service starts enabled and configured as its manifest says.',
        {
          file: path,
        },
      );
    this.#file = new RuntimeStateFile(path, options.nodeId);
    this.#saved = new Map(this.#file.load());
  }

  get environment(): ServiceEnvironment {
    return this.#environment;
  }

  /** All service directories, in the order of their ids. */
  get dirs(): readonly ServiceDir[] {
    return [...this.#dirs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, dir]) => dir);
  }

  someDir(test: (dir: ServiceDir) => boolean): boolean {
    for (const dir of this.#dirs.values()) if (test(dir)) return true;
    return false;
  }

  dir(serviceId: string): ServiceDir | undefined {
    return this.#dirs.get(serviceId);
  }

  apply(changes: DefinitionChanges): void {
    for (const definition of changes.removed) this.#remove(definition.serviceId);
    for (const { after } of changes.updated) this.#update(after);
    for (const definition of changes.added) this.#add(definition);
    if (changes.removed.length + changes.updated.length + changes.added.length > 0)
      this.#environment.reserve.use(() => this.#save());
    this.applied.emit(changes);
  }

  /** The projects that name this node, or their policies, changed. */
  forgetDecisions(): void {
    for (const dir of this.#dirs.values()) dir.service.gate.forget();
    this.changes.emit({ what: 'all' });
  }

  /** No service takes a call from now on; settles when those that run have ended by themselves. */
  async drain(): Promise<void> {
    await Promise.all([...this.#dirs.values()].map(({ service }) => service.drain()));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#dirs.values()].map(({ service }) => service.close()));
    this.#environment.reserve.use(() => this.#save());
  }

  #add(definition: ServiceDefinition): void {
    const service = new Service(
      definition,
      serviceStateFrom(this.#saved.get(definition.serviceId)),
      this.#environment,
    );
    this.#dirs.set(definition.serviceId, new ServiceDir(service));
  }

  #update(definition: ServiceDefinition): void {
    const dir = this.#dirs.get(definition.serviceId);
    if (dir === undefined) return this.#add(definition);
    dir.service.update(definition);
  }

  #remove(serviceId: string): void {
    const dir = this.#dirs.get(serviceId);
    if (dir === undefined) return;
    this.#dirs.delete(serviceId);
    this.#saved.set(serviceId, recordFromServiceState(dir.service.state()));
    dir.service.close().catch((thrown: unknown) => {
      this.#environment.log.error('A removed service did not end cleanly.', {
        service: serviceId,
        error: FsError.from(thrown).message,
      });
    });
  }

  #save(): void {
    for (const [id, { service }] of this.#dirs) this.#saved.set(id, recordFromServiceState(service.state()));
    this.#file.save(this.#saved);
  }
}
