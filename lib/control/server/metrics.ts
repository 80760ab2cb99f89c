import type { Registry } from 'prom-client';
import type { MetricFamily, MetricLabels } from '../../core/index.js';
import type { ControlStore } from '../store/store.js';
import { addReplicaMetrics } from './replica-metrics.js';
import { Tally } from './tally.js';

type PromClient = typeof import('prom-client');

/**
 * What `/metrics` counts. What names nodes or services is in a registry of its own, for admins alone. The
 * library that renders it is loaded by the first request.
 */
export class ControlMetrics {
  readonly requests = new Tally<'type' | 'outcome'>(['type', 'outcome']);
  readonly upgrades = new Tally<'outcome'>(['outcome']);
  readonly connections = new Tally();
  readonly pushes = new Tally();
  readonly lagged = new Tally();
  readonly #store: ControlStore;
  #registries: { readonly common: Registry; readonly named: Registry } | undefined;

  constructor(store: ControlStore) {
    this.#store = store;
  }

  async text(isAdmin: boolean): Promise<{ contentType: string; body: string }> {
    const registry = await this.#for(isAdmin);
    return { contentType: registry.contentType, body: await registry.metrics() };
  }

  async json(isAdmin: boolean): Promise<{ metrics: unknown[] }> {
    return { metrics: await (await this.#for(isAdmin)).getMetricsAsJSON() };
  }

  /** All of it, for a collector. */
  async families(): Promise<MetricFamily[]> {
    const found = await (await this.#for(true)).getMetricsAsJSON();
    return found.map(({ name, help, type, values }) => ({
      name,
      help,
      type: String(type) === 'counter' ? 'counter' : 'gauge',
      samples: values.map(({ labels, value }) => ({ labels: textLabels(labels), value })),
    }));
  }

  async #for(isAdmin: boolean): Promise<Registry> {
    const client = await import('prom-client');
    this.#registries ??= this.#register(client);
    const { common, named } = this.#registries;
    return isAdmin ? client.Registry.merge([common, named]) : common;
  }

  #register(client: PromClient): { common: Registry; named: Registry } {
    const { Counter, Gauge, Registry } = client;
    const store = this.#store;
    const common = new Registry();
    const named = new Registry();
    const registers = [common];
    const name = (text: string): string => `acheron_control_${text}`;
    const count = <Label extends string>(text: string, help: string, tally: Tally<Label>): void => {
      new Counter<Label>({
        name: name(text),
        help,
        labelNames: tally.labelNames,
        registers,
        collect() {
          this.reset();
          for (const { labels, value } of tally) this.inc(labels, value);
        },
      });
    };
    count('requests_total', 'Requests on the control channel, by type and outcome.', this.requests);
    count('upgrades_total', 'WebSocket upgrades, by outcome.', this.upgrades);
    const { connections } = this;
    new Gauge({
      name: name('connections'),
      help: 'Open control connections.',
      registers,
      collect() {
        this.set(connections.total);
      },
    });
    count('pushes_total', 'Events pushed to watchers.', this.pushes);
    count('lagged_total', 'Watchers cut off.', this.lagged);
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
      registers: [named],
      collect() {
        this.reset();
        for (const { nodeId, online } of store.nodes.list()) this.set({ node_id: nodeId }, online ? 1 : 0);
      },
    });
    new Gauge({
      name: name('service_info'),
      help: 'One for each service of the catalog.',
      labelNames: ['node_id', 'service_id', 'version'],
      registers: [named],
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
      registers: [named],
      collect() {
        this.set(store.events.head);
      },
    });
    addReplicaMetrics(client, store, registers);
    return { common, named };
  }
}

function textLabels(labels: Partial<Record<string, string | number>>): MetricLabels {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));
}
