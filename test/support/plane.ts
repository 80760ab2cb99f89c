import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ControlClient,
  startControlPlane,
  type ControlClientOptions,
  type ControlPlane,
  type ControlPlaneOptions,
} from '../../lib/control/index.js';
import { temporaryDir } from './store.js';

interface Teardown {
  teardown(callback: () => unknown): void;
}

/** A control plane on a free port, and clients for it; all gone after the test. */
export class PlaneUnderTest {
  readonly stateDir: string;
  readonly options: Partial<ControlPlaneOptions>;
  plane!: ControlPlane;
  readonly #t: Teardown;

  constructor(t: Teardown, options: Partial<ControlPlaneOptions>) {
    this.#t = t;
    this.stateDir = temporaryDir(t);
    this.options = options;
  }

  async start(port = 0): Promise<this> {
    this.plane = await startControlPlane({ ...this.options, stateDir: this.stateDir, port });
    return this;
  }

  async restart(): Promise<void> {
    const { port } = this.plane;
    await this.plane.close();
    await this.start(port);
  }

  get url(): string {
    return this.plane.url;
  }

  token(role: 'admin' | 'user'): string {
    return readFileSync(join(this.stateDir, `${role}.token`), 'utf8').trim();
  }

  client(token: string | undefined, more: Partial<ControlClientOptions> = {}): ControlClient {
    const client = new ControlClient({ url: this.url, token, minDelayMs: 10, maxDelayMs: 50, ...more });
    this.#t.teardown(() => client.close());
    return client.start();
  }

  async admin(): Promise<ControlClient> {
    const client = this.client(this.token('admin'));
    await client.ready();
    return client;
  }

  async user(more: Partial<ControlClientOptions> = {}): Promise<ControlClient> {
    const client = this.client(this.token('user'), more);
    await client.ready();
    return client;
  }
}

export async function planeFor(
  t: Teardown,
  options: Partial<ControlPlaneOptions> = {},
): Promise<PlaneUnderTest> {
  const under = await new PlaneUnderTest(t, options).start();
  t.teardown(() => under.plane.close());
  return under;
}
