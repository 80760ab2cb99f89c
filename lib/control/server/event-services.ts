import type { JsonObject } from '../../core/index.js';
import { supervisedService, type ControlDialect } from '../../protocol/index.js';
import type { ControlStore } from '../store/store.js';

/** A frame of a watch with the descriptors of what was added or updated, and in the words of this peer. */
export function frameWithServices({ nodes }: ControlStore, frame: string, dialect: ControlDialect): string {
  const envelope = JSON.parse(frame) as { payload: JsonObject };
  const { node_id: nodeId, service_delta: delta } = envelope.payload as unknown as Payload;
  const services = nodes.get(nodeId ?? '')?.services;
  const changed = [...(delta?.added ?? []), ...(delta?.updated ?? [])];
  const described = changed.flatMap(({ service_id }): JsonObject[] => {
    const descriptor = services?.get(service_id)?.descriptor;
    return descriptor === undefined ? [] : [supervisedService(descriptor)];
  });
  const payload = dialect.pushed(
    delta === undefined ? envelope.payload : { ...envelope.payload, services: described },
  );
  return JSON.stringify({ ...envelope, payload });
}

interface Payload {
  readonly node_id: string | null;
  readonly service_delta?: {
    readonly added: readonly { readonly service_id: string }[];
    readonly updated: readonly { readonly service_id: string }[];
  };
}
