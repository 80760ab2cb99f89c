import { Counter, Gauge, Registry } from 'prom-client';
import type { ControlStore } from '../store/store.js';

/** What `/metrics` counts. What names nodes or services is in a registry of its own, for admins alone. */
export class ControlMetrics {
  readonly requests: Counter<'type' | 'outcome'>;
  readonly upgrades: Counter<'outcome'>;
  readonly connections: Gauge;
  readonly pushes: Counter;
  readonly lagged: Counter;
  readonly #common = new Registry();
  readonly #named = new Registry();

  constructor(store: ControlStore) {
    const registers = [this.#common];
    const name = (text: string): string => `acheron_control_${text}`;
    this.requests = new Counter({
      name: name('requests_total'),
      help: 'Requests on the control channel, by type and outcome.',
      labelNames: ['type', 'outcome'],
      registers,
    });
    this.upgrades = new Counter({
      name: name('upgrades_total'),
      help: 'WebSocket upgrades, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    this.connections = new Gauge({ name: name('connections'), help: 'Open control connections.', registers });
    this.pushes = new Counter({ name: name('pushes_total'), help: 'Events pushed to watchers.', registers });
    this.lagged = new Counter({ name: name('lagged_total'), help: 'Watchers cut off.', registers });
    new Gauge({
      name: name('memory_bytes'),
      help: 'Resident memory of the process.',
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
    new Gauge({
      name: name('node_online'),
      help: 'Whether the node is online.',
      labelNames: ['node_id'],
      registers: [this.#named],
      collect() {
        this.reset();
        for (const { nodeId, online } of store.nodes.list()) this.set({ node_id: nodeId }, online ? 1 : 0);
      },
    });
    new Gauge({
      name: name('service_info'),
      help: 'One for each service of the catalog.',
      labelNames: ['node_id', 'service_id', 'version'],
      registers: [this.#named],
      collect() {
        this.reset();
        for (const { nodeId, services } of store.nodes.list()) {
          for (const { serviceId, version } of services.values())
            this.set({ node_id: nodeId, service_id: serviceId, version }, 1);
        }
      },
    });
    new Gauge({
      name: name('event_revision'),
      help: 'The newest revision.',
      registers: [this.#named],
      collect() {
        this.set(store.events.head);
      },
    });
  }

  async text(isAdmin: boolean): Promise<{ contentType: string; body: string }> {
    const registry = this.#for(isAdmin);
    return { contentType: registry.contentType, body: await registry.metrics() };
  }

  async json(isAdmin: boolean): Promise<{ metrics: unknown[] }> {
    return { metrics: await this.#for(isAdmin).getMetricsAsJSON() };
  }

  #for(isAdmin: boolean): Registry {
    return isAdmin ? Registry.merge([this.#common, this.#named]) : this.#common;
  }
}
