import type { Test } from 'tap';
import { HERE, type Host } from '../support/hosts.js';
import { Namespaces } from '../support/namespaces.js';
import { TcpProxy } from '../support/tcp-proxy.js';

/** A port where somebody listens, once he does. */
export interface Door {
  readonly address: string;
  readonly port: () => number;
}

/** What lies between processes that have names. */
export interface Ground {
  /** Where the process of this name runs. */
  host(name: string): Host;
  /** The address and port by which `from` reaches `to`. */
  wire(from: string, to: string, door: Door): Promise<string>;
  /** What `from` sends comes to `to` no more, without a word, until `heal`. */
  block(from: string, to: string): Promise<void>;
  /** The line of this one is slow, until `heal`. */
  slow(name: string): Promise<string>;
  /** Ends the connections of this one to the database. */
  cut(name: string): void;
  heal(): Promise<void>;
}

/** Each process on a machine of its own, with a router between them. */
export class NamespaceGround implements Ground {
  readonly #spaces: Namespaces;
  readonly #dropped: (readonly [string, string])[] = [];
  readonly #slow = new Set<string>();

  constructor(t: Test) {
    this.#spaces = Namespaces.start(t);
  }

  host(name: string): Host {
    return this.#spaces.host(name);
  }

  wire(_from: string, _to: string, { address, port }: Door): Promise<string> {
    return Promise.resolve(`${address}:${port()}`);
  }

  async block(from: string, to: string): Promise<void> {
    await this.#spaces.drop(from, to);
    this.#dropped.push([from, to]);
  }

  async slow(name: string): Promise<string> {
    this.#slow.add(name);
    return this.#spaces.slow(name);
  }

  cut(): void {
    throw new Error('A router cuts nothing: it drops.');
  }

  async heal(): Promise<void> {
    for (const [from, to] of this.#dropped.splice(0)) await this.#spaces.pass(from, to);
    for (const name of this.#slow) await this.#spaces.fast(name);
    this.#slow.clear();
  }
}

interface Wire {
  readonly from: string;
  readonly to: string;
  readonly proxy: TcpProxy;
}

/** Processes of one machine, with something between them that passes bytes on. Several may come by one wire: from `others`. */
export class LoopbackGround implements Ground {
  readonly #t: Test;
  readonly #wires: Wire[] = [];

  constructor(t: Test) {
    this.#t = t;
  }

  host(): Host {
    return HERE;
  }

  async wire(from: string, to: string, { port }: Door): Promise<string> {
    const proxy = await TcpProxy.start(port);
    this.#t.teardown(() => proxy.close());
    this.#wires.push({ from, to, proxy });
    return new URL(proxy.url).host;
  }

  block(from: string, to: string): Promise<void> {
    for (const wire of this.#wires) {
      if (isOf(wire.from, from) && wire.to === to) wire.proxy.swallow('near');
      if (wire.from === to && wire.to === from) wire.proxy.swallow('far');
    }
    return Promise.resolve();
  }

  slow(name: string): Promise<string> {
    for (const { from, proxy } of this.#wires) if (from === name) proxy.slow(100, 2_000);
    return Promise.resolve('proxy');
  }

  cut(name: string): void {
    for (const { from, proxy } of this.#wires) if (from === name) proxy.cut();
  }

  heal(): Promise<void> {
    for (const { proxy } of this.#wires) proxy.release();
    return Promise.resolve();
  }
}

export const OTHERS = 'others';

const isOf = (wired: string, name: string): boolean =>
  wired === name || (wired === OTHERS && name.startsWith('replica'));
