import type { CatalogService } from '../../control/index.js';
import { FsError, systemClock, type JsonObject, type JsonValue } from '../../core/index.js';
import type { Role } from '../../policy/index.js';
import type { CatalogNews, CatalogPage as Page } from '../../tunnel/index.js';
import type { Catalog, CatalogRecord, Presence } from '../catalog.js';
import { KeptValues } from './kept-values.js';

type WireNode = Page['nodes'][number];
type WireService = NonNullable<WireNode['services']>[number];

interface KeptNode {
  /** Undefined where less is kept than was sent. */
  readonly digest: string | undefined;
  readonly record: CatalogRecord;
  readonly presence: Presence;
  readonly may: ReadonlyMap<string, WireService['may']>;
}

/** A node of which not all parts have come. */
interface Part extends KeptNode {
  readonly services: Map<string, CatalogService>;
  readonly may: Map<string, WireService['may']>;
}

type KeptServices = CatalogRecord['services'];

/** A node that the session may see. */
interface Known {
  /** Absent where it was not sent, or is too much to keep. */
  readonly kept: KeptNode | undefined;
  /** False: what is kept may be more than the session may see by now. */
  isSure: boolean;
  /** The services that were named since, of which not all need be kept. */
  readonly named?: ReadonlySet<string>;
}

export function planeAway(): FsError {
  return new FsError('EHOSTDOWN', 'The control plane is not connected.', {
    hint: 'It is tried again by itself; nothing has to be mounted again.',
  });
}

/**
 * A catalog as one session may see it, kept to show its descriptors while the control plane is away. What was
 * reported as hidden is hidden at once; what merely changed is shown as it was until the change is reported.
 */
export class KeptCatalog implements Catalog {
  readonly clock = systemClock;
  readonly nodes: Catalog['nodes'];
  readonly access: Catalog['access'];
  role: Role = 'user';
  readonly #nodes = new Map<string, Known>();
  /** There is no node but those that are known. */
  #isWhole = false;
  #isBehind = false;
  #part: Part | undefined;
  /** What descriptors say: each service of a node or of the part holds what it says. */
  readonly #values: KeptValues;

  /** @param mostBytes of descriptors; what many of them say counts once */
  constructor(mostBytes?: number) {
    this.#values = new KeptValues(mostBytes);
    this.nodes = { get: (nodeId) => this.#sure(nodeId)?.record, require: (nodeId) => this.find(nodeId) };
    this.access = {
      seesNode: (_session, { nodeId }) => this.#sure(nodeId) !== undefined,
      visibleServices: (_session, { services }) => [...services.values()],
      decide: (_session, { nodeId }, { serviceId }, action) => ({
        allow:
          action === 'observe' ||
          this.#sure(nodeId)
            ?.may.get(serviceId)
            ?.some((allowed) => allowed === action) === true,
      }),
      wouldShow: () => false,
    };
  }

  /** @throws FsError ENOENT where there surely is no such node, EHOSTDOWN where that is not known */
  find(nodeId: string): CatalogRecord {
    const kept = this.#sure(nodeId);
    if (kept !== undefined) return kept.record;
    if (!this.#isWhole || this.#nodes.has(nodeId)) throw planeAway();
    throw new FsError('ENOENT', `There is no ${JSON.stringify(nodeId)} here.`);
  }

  /** The ids of all nodes, in order, kept or not. @throws FsError EHOSTDOWN where it is not known which there are */
  ids(): string[] {
    if (!this.#isWhole) throw planeAway();
    return [...this.#nodes.keys()].sort();
  }

  /** Whether the session sees the node, kept or not. @throws FsError EHOSTDOWN where that is not known */
  sees(nodeId: string): boolean {
    if (this.isKept(nodeId)) return true;
    if (!this.#isWhole) throw planeAway();
    return this.#nodes.has(nodeId);
  }

  isKept(nodeId: string): boolean {
    return this.#sure(nodeId) !== undefined;
  }

  /** Whether the node surely has no service with this id. */
  lacks(nodeId: string, serviceId: string): boolean {
    return this.#nodes.get(nodeId)?.named?.has(serviceId) !== true;
  }

  presence(nodeId: string): Presence {
    return this.#sure(nodeId)?.presence ?? { isHere: false, sinceMs: 0 };
  }

  /** The digests of the first nodes from `nodeId` on. */
  digestsFrom(nodeId: string, most: number): string[] {
    const ids = [...this.#nodes.keys()].filter((id) => id >= nodeId).sort();
    return ids.slice(0, most).flatMap((id) => this.#nodes.get(id)?.kept?.digest ?? []);
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** How many bytes of descriptors are kept. */
  get bytes(): number {
    return this.#values.bytes;
  }

  /** How many nodes are too much to keep. */
  get unkept(): number {
    let count = 0;
    for (const { kept } of this.#nodes.values()) if (kept === undefined) count++;
    return count;
  }

  /** Something may have changed while nothing was heard. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Nobody could report what changed: all is shown as it was, until it is sent again. */
  fallBehind(): void {
    this.#isBehind = true;
  }

  /** Anything may be hidden by now: nothing is shown until it is sent again. */
  doubtAll(): void {
    this.role = 'user';
    this.#isWhole = false;
    this.#isBehind = false;
    this.#replacePart(undefined);
    for (const known of this.#nodes.values()) known.isSure = false;
  }

  /** What is not named is hidden from now on, before it is asked what changed. */
  narrow(news: Iterable<CatalogNews>): void {
    for (const { node_id: nodeId, visible, services } of news) {
      const { kept, isSure = false } = this.#nodes.get(nodeId) ?? {};
      if (!visible) this.#put(nodeId, undefined);
      else if (services === undefined) this.#put(nodeId, { kept, isSure: false });
      else {
        const named = new Set(services);
        this.#put(nodeId, { kept: kept === undefined ? undefined : onlyOf(kept, named), isSure, named });
      }
    }
  }

  /** Takes a page in. */
  apply({ role, nodes, values }: Page): void {
    this.role = role;
    const shared = [...values] as JsonValue[];
    for (const node of nodes) {
      const known = this.#nodes.get(node.node_id);
      if (node.services !== undefined) this.#take(node, node.services, shared);
      else if (known?.kept !== undefined && known.kept.digest === node.digest)
        this.#put(node.node_id, { kept: known.kept, isSure: true });
    }
  }

  /** These are no longer there, as far as the session may see. */
  drop(nodeIds: Iterable<string>): void {
    for (const nodeId of nodeIds) this.#put(nodeId, undefined);
  }

  /** All there is was sent: `seen`, and nothing else. */
  complete(seen: ReadonlySet<string>): void {
    this.drop([...this.#nodes.keys()].filter((nodeId) => !seen.has(nodeId)));
    this.#isWhole = true;
    this.#isBehind = false;
  }

  #sure(nodeId: string): KeptNode | undefined {
    const known = this.#nodes.get(nodeId);
    return known?.isSure === true ? known.kept : undefined;
  }

  #take(node: WireNode, services: readonly WireService[], values: JsonValue[]): void {
    const { node_id: nodeId, digest, more } = node;
    const part = node.facts === undefined ? this.#part : partOf(node, node.facts);
    this.#replacePart(part);
    if (part?.record.nodeId !== nodeId || part.digest !== digest) {
      // It is another node by now than its first part said: the next answer says which.
      this.#part = undefined;
      if (!this.#nodes.has(nodeId)) this.#put(nodeId, { kept: undefined, isSure: false });
      return;
    }
    for (const service of services) {
      const kept = this.#serviceFrom(service, values);
      if (kept === undefined) {
        this.#replacePart(undefined);
        this.#put(nodeId, { kept: undefined, isSure: false });
        return;
      }
      part.services.set(service.id, kept);
      part.may.set(service.id, service.may);
    }
    if (more === true) return;
    this.#part = undefined;
    this.#put(nodeId, { kept: part, isSure: true });
  }

  /** Undefined where it is too much to keep. Of `values`, those that are kept already are put in place. */
  #serviceFrom({ id, fields, shared }: WireService, values: JsonValue[]): CatalogService | undefined {
    const descriptor: Record<string, JsonValue> = {};
    for (const [name, value] of Object.entries(fields)) {
      const index = shared[name];
      const sent = index === undefined ? (value as JsonValue) : values[index];
      const kept = this.#values.keep(sent ?? null);
      if (kept === undefined) {
        this.#values.release(descriptor);
        return undefined;
      }
      descriptor[name] = kept;
      if (index !== undefined) values[index] = kept;
    }
    const { version } = descriptor;
    return { serviceId: id, version: typeof version === 'string' ? version : '1', hash: '', descriptor };
  }

  /** Undefined: the session does not see the node. */
  #put(nodeId: string, known: Known | undefined): void {
    const before = this.#nodes.get(nodeId)?.kept?.record.services;
    const after = known?.kept?.record.services;
    if (known === undefined) this.#nodes.delete(nodeId);
    else this.#nodes.set(nodeId, known);
    if (before !== after) this.#release(before, after);
  }

  #replacePart(part: Part | undefined): void {
    if (part !== this.#part) this.#release(this.#part?.services);
    this.#part = part;
  }

  #release(services: KeptServices | undefined, but?: KeptServices): void {
    for (const service of services?.values() ?? [])
      if (but?.get(service.serviceId) !== service) this.#values.release(service.descriptor);
  }
}

/** The node with those of its services alone that are named. */
function onlyOf(kept: KeptNode, named: ReadonlySet<string>): KeptNode {
  const { services } = kept.record;
  const left = new Map([...services].filter(([serviceId]) => named.has(serviceId)));
  if (left.size === services.size) return kept;
  return { ...kept, digest: undefined, record: { ...kept.record, services: left } };
}

function partOf({ node_id: nodeId, digest }: WireNode, facts: NonNullable<WireNode['facts']>): Part {
  const services = new Map<string, CatalogService>();
  return {
    digest,
    services,
    may: new Map(),
    presence: { isHere: facts.online, sinceMs: facts.since_ms },
    record: {
      nodeId,
      nodeName: facts.name,
      platform: facts.platform as JsonValue,
      labels: facts.labels as JsonObject,
      holder: { instance_id: '', address: '', connected_at_ms: 0, software: facts.software },
      joinedAtMs: facts.joined_at_ms,
      lastSeenMs: facts.last_seen_ms,
      services,
    },
  };
}
