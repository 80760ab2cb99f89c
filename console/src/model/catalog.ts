import type { ControlReply } from 'acheron/protocol';
import type { ControlLink, Event } from '../wire/control.js';
import { Fault } from '../wire/fault.js';
import { Store } from './store.js';

export type NodeFacts = ControlReply<'node_list'>['nodes'][number];
export type ServiceLine = ControlReply<'service_list'>['services'][number];

export interface NodeEntry {
  readonly facts: NodeFacts;
  readonly services: readonly ServiceLine[];
}

export interface CatalogView {
  /** In the order of their ids. */
  readonly nodes: readonly NodeEntry[];
  /** Whether all pages have come. */
  readonly isWhole: boolean;
  readonly fault: Fault | null;
}

/** Events come in bursts: nodes that changed are asked for together. */
const GATHER_MS = 60;
const MAX_NODES_ASKED = 200;

/** The nodes and services that the session may see, kept true by the watch. */
export class Catalog {
  readonly view = new Store<CatalogView>({ nodes: [], isWhole: false, fault: null });
  readonly #link: ControlLink;
  readonly #facts = new Map<string, NodeFacts>();
  readonly #services = new Map<string, readonly ServiceLine[]>();
  readonly #dirty = new Set<string>();
  #gathering = false;
  /** Counts the times that it began anew: what was asked before is of no use after. */
  #turn = 0;

  constructor(link: ControlLink) {
    this.#link = link;
    link.watch({ reset: () => void this.#loadAll(), event: (event) => this.#event(event) });
  }

  find(nodeId: string, serviceId: string): ServiceLine | undefined {
    return this.#services.get(nodeId)?.find(({ service_id }) => service_id === serviceId);
  }

  #event({ kind, node_id }: Event): void {
    if (node_id === null || !CONCERNS_CATALOG.has(kind)) return;
    this.#dirty.add(node_id);
    if (this.#gathering) return;
    this.#gathering = true;
    setTimeout(() => void this.#refresh(), GATHER_MS);
  }

  async #loadAll(): Promise<void> {
    const turn = ++this.#turn;
    this.#dirty.clear();
    try {
      const first = this.#link.request('service_list', { limit: 500 });
      const [facts, firstPage] = await Promise.all([this.#allNodes(), first]);
      const seen = new Set<string>();
      for (let page = firstPage, isFirst = true; ; isFirst = false) {
        if (turn !== this.#turn) return;
        if (isFirst) {
          this.#facts.clear();
          this.#services.clear();
          for (const node of facts) this.#facts.set(node.node_id, node);
        }
        for (const line of page.services) {
          const list = seen.has(line.node_id) ? (this.#services.get(line.node_id) as ServiceLine[]) : [];
          seen.add(line.node_id);
          list.push(line);
          this.#services.set(line.node_id, list);
        }
        const { next } = page;
        this.#show(next === undefined, null);
        if (next === undefined) return;
        page = await this.#link.request('service_list', { after: next, limit: 5000 });
      }
    } catch (thrown) {
      this.#failed(thrown, turn);
    }
  }

  async #allNodes(): Promise<NodeFacts[]> {
    const nodes: NodeFacts[] = [];
    for (let after: string | undefined, first = true; first || after !== undefined; first = false) {
      const page = await this.#link.request('node_list', {
        limit: 1000,
        ...(after === undefined ? {} : { after }),
      });
      nodes.push(...page.nodes);
      after = page.next;
    }
    return nodes;
  }

  async #refresh(): Promise<void> {
    const turn = this.#turn;
    const asked = [...this.#dirty].slice(0, MAX_NODES_ASKED);
    for (const nodeId of asked) this.#dirty.delete(nodeId);
    try {
      const known = await Promise.all(asked.map((node_id) => this.#node(node_id)));
      const lines = new Map<string, ServiceLine[]>();
      const there = known.flatMap((facts) => facts?.node_id ?? []);
      for (
        let after: string | undefined, first = there.length > 0;
        first || after !== undefined;
        first = false
      ) {
        const page = await this.#link.request('service_list', {
          node_ids: there,
          limit: 5000,
          ...(after === undefined ? {} : { after }),
        });
        for (const line of page.services) lines.set(line.node_id, [...(lines.get(line.node_id) ?? []), line]);
        after = page.next;
      }
      if (turn === this.#turn) {
        for (const nodeId of asked) {
          this.#facts.delete(nodeId);
          this.#services.delete(nodeId);
        }
        for (const facts of known) {
          if (facts === null) continue;
          this.#facts.set(facts.node_id, facts);
          this.#services.set(facts.node_id, lines.get(facts.node_id) ?? []);
        }
        this.#show(this.view.value.isWhole, null);
      }
    } catch (thrown) {
      // What was lost with the connection is asked for again by the watch, which goes on from there.
      if (Fault.from(thrown).code === 'EHOSTDOWN') for (const nodeId of asked) this.#dirty.add(nodeId);
      else this.#failed(thrown, turn);
    }
    this.#gathering = false;
    if (this.#dirty.size > 0) this.#again();
  }

  /** Asks for what is left once there is a connection. */
  #again(): void {
    this.#gathering = true;
    const { state } = this.#link;
    if (state.value === 'open') {
      setTimeout(() => void this.#refresh(), GATHER_MS);
      return;
    }
    const stop = state.on(() => {
      if (state.value !== 'open') return;
      stop();
      void this.#refresh();
    });
  }

  /** Null where it is gone, or hidden. */
  async #node(nodeId: string): Promise<NodeFacts | null> {
    try {
      return await this.#link.request('node_get', { node_id: nodeId });
    } catch (thrown) {
      if (Fault.from(thrown).code !== 'not_found') throw thrown;
      return null;
    }
  }

  #failed(thrown: unknown, turn: number): void {
    const fault = Fault.from(thrown);
    if (turn !== this.#turn || fault.code === 'EHOSTDOWN') return;
    this.view.set({ ...this.view.value, fault });
  }

  #show(isWhole: boolean, fault: Fault | null): void {
    const ids = [...this.#facts.keys()].sort();
    const nodes = ids.flatMap((id) => {
      const facts = this.#facts.get(id);
      return facts === undefined ? [] : [{ facts, services: this.#services.get(id) ?? [] }];
    });
    this.view.set({ nodes, isWhole, fault });
  }
}

const CONCERNS_CATALOG = new Set([
  'services',
  'node_joined',
  'node_online',
  'node_offline',
  'node_deleted',
  'service_health',
  'service_control',
]);
