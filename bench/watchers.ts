import { ControlClient, type CatalogEvent } from '../lib/control/index.js';
import { quantile } from './interleave.js';
import { joinNode } from './join-node.js';

const CHANGES = 20;

/** Connections of this process to one control plane, or in turns to several that are one; closed together. */
export class Clients {
  readonly #urls: readonly string[];
  readonly #token: string;
  readonly #all: ControlClient[] = [];

  constructor(urls: readonly string[], token: string) {
    this.#urls = urls;
    this.#token = token;
  }

  async admin(): Promise<ControlClient> {
    const client = new ControlClient({ url: this.#nextUrl(), token: this.#token }).start();
    this.#all.push(client);
    await client.ready();
    return client;
  }

  /** A connection as a node of its own, which can change its services. */
  async node(name: string): Promise<(version: number) => Promise<void>> {
    const admin = await this.admin();
    const proof = await joinNode(admin, name);
    const client = new ControlClient({ url: this.#nextUrl(), connect: () => proof }).start();
    this.#all.push(client);
    const { node } = await client.ready();
    if (!node) throw new Error(`${name} was not taken for a node.`);
    return async (version) => {
      const service = { service_id: 'changing', kind: 'bench', version: String(version) };
      const services = [{ ...service, permissions: { allow_roles: ['admin'] } }];
      await client.request('node_service_upsert', {
        ...proof,
        epoch: node.epoch,
        services: services,
      });
    };
  }

  async stop(): Promise<void> {
    for (const client of this.#all.splice(0)) client.close();
  }

  #nextUrl(): string {
    return this.#urls[this.#all.length % this.#urls.length] ?? '';
  }
}

/** How long it takes until a change of one node is told to each of so many watchers, for each of them and each of some changes. */
export async function fanOut(clients: Clients, watchers: number): Promise<{ p50: number; p99: number }> {
  const change = await clients.node('changing');
  const tookMs: number[] = [];
  let startMs = 0;
  let left = 0;
  let all: () => void = () => undefined;
  const onEvent = ({ kind }: CatalogEvent): void => {
    if (kind !== 'services') return;
    tookMs.push(performance.now() - startMs);
    if (--left === 0) all();
  };
  for (let i = 0; i < watchers; i++) {
    const watcher = await clients.admin();
    await new Promise<void>((resolve) => watcher.watch({ onEvent, onBegin: resolve }));
  }
  for (let version = 1; version <= CHANGES; version++) {
    const reached = new Promise<void>((resolve) => (all = resolve));
    left = watchers;
    startMs = performance.now();
    await change(version);
    await reached;
  }
  return { p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99) };
}
