import type { CatalogService, Delta } from './service-delta.js';

export interface NodeCredentials {
  readonly nodeId: string;
  readonly nodeSecret: string;
  readonly leaseToken: string;
  readonly leaseExpiresAtMs: number;
}

export interface CatalogChange {
  readonly delta: Delta;
  readonly changed: boolean;
  readonly revision: number;
  readonly timestampMs: number;
}

/** A node offers other services. */
export interface ServicesReplaced {
  readonly nodeId: string;
  readonly delta: Delta;
  readonly before: ReadonlyMap<string, CatalogService>;
  readonly after: ReadonlyMap<string, CatalogService>;
  /** Of the first event that will say so. */
  readonly revision: number;
}
