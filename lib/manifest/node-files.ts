import { documentFromJson, type JsonObject, type JsonValue } from '../core/index.js';

/** A node as it publishes itself. */
export interface PublishedNode {
  readonly id: string;
  readonly name: string;
  readonly platform: JsonValue;
  /** Of its software; null where it did not say. */
  readonly version: string | null;
  readonly labels: JsonObject;
}

/** `README.md` of a node's directory. */
export function nodeReadme({ name }: PublishedNode): Buffer {
  return Buffer.from(`# Node ${name}

A machine that offers services. Each is a directory in services/; services/SERVICES.json is their
index. Read a service's README.md to learn how to call it. From this directory:

    ls services
    cat services/SERVICES.json
`);
}

/** `NODE.json`. */
export function nodeDocument({ id, name, platform, version, labels }: PublishedNode): Buffer {
  return documentFromJson({ node_id: id, name, platform, version, labels });
}

/** `CAPS.json` of a node, from the descriptors that a session may see: what is hidden from it does not show here. */
export function nodeCapabilities(descriptors: readonly JsonObject[]): Buffer {
  return documentFromJson({
    services: true,
    invoke: true,
    fs: descriptors.some(isExportService),
    terminal: descriptors.some(({ kind }) => kind === 'terminal'),
  });
}

/** Whether it is the built-in service whose place shows the exports of its node. */
export function isExportService({ runtime }: JsonObject): boolean {
  const { type, name } = (runtime ?? {}) as JsonObject;
  return type === 'builtin' && name === 'fs';
}

/** How many services there are, and how many in each state. */
export function countStates(states: readonly string[]): JsonObject {
  const count = (state: string): number => states.filter((one) => one === state).length;
  return {
    total: states.length,
    online: count('online'),
    degraded: count('degraded'),
    offline: count('offline'),
  };
}
