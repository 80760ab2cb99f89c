import { createHash } from 'node:crypto';
import { canonicalJson, type ServiceId } from '../core/index.js';
import {
  offeredServices,
  type ManifestFault,
  type Offers,
  type ServiceDefinition,
} from '../manifest/index.js';
import type { ManifestFile } from './manifest-file.js';

/** What a service offered, and what it was then: another one's offers are not its own. */
export interface KnownOffers {
  /** Of all that decides what it offers; stays on the node. */
  readonly by: string;
  readonly offers: Offers;
}

/** What the services of manifests offer beside themselves, as far as it is known, and the services that this makes. */
export class OfferedSet {
  readonly #known: Map<string, KnownOffers>;
  /** Of this life of the node: they hold though the manifest changes, until the new service says what it offers. */
  readonly #heard = new Set<string>();
  #isNew = false;

  constructor(before: ReadonlyMap<string, KnownOffers> = new Map()) {
    this.#known = new Map(before);
  }

  /** Something is offered that `withOffered` has not seen. */
  get isNew(): boolean {
    return this.#isNew;
  }

  get known(): ReadonlyMap<string, KnownOffers> {
    return this.#known;
  }

  /** False where that is known already. */
  take(service: ServiceDefinition | undefined, offers: Offers): boolean {
    if (service === undefined) return false;
    const { serviceId } = service;
    const before = this.#known.get(serviceId);
    const by = identityOf(service);
    this.#heard.add(serviceId);
    if (before?.by === by && canonicalJson(before.offers) === canonicalJson(offers)) return false;
    this.#known.set(serviceId, { by, offers });
    this.#isNew = true;
    return true;
  }

  /**
   * All services of the node: each of `services` with what it offers after it. What it offers gives way to what has a
   * manifest of its own. Each file learns what it gives.
   */
  withOffered(services: readonly ServiceDefinition[], files: Iterable<ManifestFile>): ServiceDefinition[] {
    this.#isNew = false;
    const ids = new Set<ServiceId>(services.map(({ serviceId }) => serviceId));
    const roots = new Set(services.flatMap(({ mounts }) => mounts.map(({ mountPath }) => mountPath)));
    const given = new Map<ServiceDefinition, readonly ServiceDefinition[]>();
    for (const file of files) {
      file.offered = [];
      file.offerWarnings = [];
      if (file.held === undefined) continue;
      const offers = this.#offersOf(file.held);
      if (offers === undefined) continue;
      const { definitions, warnings } = offeredServices(file.held, offers);
      const refused = [...warnings];
      file.offered = definitions.filter((definition) => {
        const why = rivalOf(definition, ids, roots);
        if (why !== null) refused.push(why);
        return why === null;
      });
      for (const { serviceId } of file.offered) ids.add(serviceId);
      file.offerWarnings = refused.map((message) => warning(file, message));
      given.set(file.held, file.offered);
    }
    return services.flatMap((service) => [service, ...(given.get(service) ?? [])]);
  }

  #offersOf(service: ServiceDefinition): Offers | undefined {
    const known = this.#known.get(service.serviceId);
    if (known === undefined) return undefined;
    return this.#heard.has(service.serviceId) || known.by === identityOf(service) ? known.offers : undefined;
  }
}

function identityOf({ runtime, source }: ServiceDefinition): string {
  const server = runtime.type === 'mcp' ? runtime.server : runtime;
  return createHash('sha256')
    .update(`${source} ${canonicalJson(server)}`)
    .digest('hex');
}

/** Why an offered service cannot be, as there is another; null where it can. */
function rivalOf(
  definition: ServiceDefinition,
  ids: ReadonlySet<string>,
  roots: ReadonlySet<string>,
): string | null {
  const { serviceId } = definition;
  if (ids.has(serviceId)) return `${serviceId} is offered, but a service of that name exists already.`;
  const taken = definition.mounts.find(({ mountPath }) => roots.has(mountPath));
  return taken === undefined ? null : `${serviceId} is offered, but ${taken.mountPath} is taken.`;
}

function warning({ path: file, reading }: ManifestFile, message: string): ManifestFault {
  const place = reading?.place('/runtime') ?? { line: 1, column: 1, pointer: '' };
  return {
    ...place,
    file,
    message,
    expected: 'something that can be a service',
    got: 'something else',
    hint: '',
  };
}
