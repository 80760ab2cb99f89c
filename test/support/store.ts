import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ControlStore, type StoreOptions } from '../../lib/control/index.js';

/** What a test that wants a store needs of its runner. */
interface Teardown {
  teardown(callback: () => void): void;
}

export function temporaryDir(t: Teardown): string {
  const dir = mkdtempSync(join(tmpdir(), 'acheron-control-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A store in a directory of its own; closed and removed after the test. `reopen` is a restart. */
export function storeFor(t: Teardown, options: Omit<StoreOptions, 'stateDir'> = {}): StoreUnderTest {
  return new StoreUnderTest(t, { ...options, stateDir: temporaryDir(t) });
}

export class StoreUnderTest {
  readonly options: StoreOptions;
  store: ControlStore;

  constructor(t: Teardown, options: StoreOptions) {
    this.options = options;
    this.store = new ControlStore(options);
    t.teardown(() => this.store.close());
  }

  reopen(): ControlStore {
    this.store.close();
    this.store = new ControlStore(this.options);
    return this.store;
  }
}

export const FACTS = { nodeName: 'n1', platform: { os: 'linux' }, labels: {}, fsUrl: null };

/** A descriptor as a node would send it. */
export function descriptor(serviceId: string, more: Record<string, unknown> = {}): Record<string, never> {
  return {
    service_id: serviceId,
    kind: 'test',
    version: '1',
    state: 'online',
    permissions: { allow_roles: ['user'] },
    ...more,
  } as never;
}
