import type { JsonObject } from '../../core/index.js';
import type { AuditRecord } from './audit.js';
import type { EventKind } from './events.js';
import type { ControlStore } from './store.js';

const CONTROLS = new Set(['enable', 'disable', 'restart', 'config']);

/**
 * Takes in what a node recorded: each record once, and for those that watchers want to know of an event, in
 * the same transaction. Returns how many records were new.
 */
export function takeNodeRecords(
  store: ControlStore,
  nodeId: string,
  records: readonly Omit<AuditRecord, 'origin'>[],
): number {
  return store.change(() => {
    // Whatever the node says, it says it under its own name.
    const added = store.audit.append(records.map((record) => ({ ...record, origin: nodeId }) as AuditRecord));
    for (const record of added) {
      const event = eventFrom(record);
      if (event !== null) store.events.append(event.kind, nodeId, event.payload);
    }
    return added.length;
  });
}

function eventFrom(record: AuditRecord): { kind: EventKind; payload: JsonObject } | null {
  const { act, outcome, service_id: serviceId = null, timestamp_ms: atMs } = record;
  if (typeof serviceId !== 'string') return null;
  const common = { service_id: serviceId, recorded_at: new Date(atMs).toISOString() };
  const { role = null, agent_id = null, project_id = null } = record;
  const by = { role, agent_id, project_id };
  const { invocation_id = null, state } = record;
  if (act === 'invoke' && state !== undefined)
    return { kind: 'invocation_finished', payload: { ...common, invocation_id, state, by } };
  if (act === 'health') {
    const { from = null, reason = null } = record;
    return { kind: 'service_health', payload: { ...common, from, to: outcome, reason } };
  }
  const op = act.startsWith('control/') ? act.slice('control/'.length) : '';
  if (outcome !== 'ok' || !CONTROLS.has(op)) return null;
  return { kind: 'service_control', payload: { ...common, op, by } };
}
