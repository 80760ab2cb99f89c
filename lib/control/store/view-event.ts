import type { JsonObject } from '../../core/index.js';
import type { EventKind } from './events.js';
import type { Row } from './rows.js';

/** An event as the users of one view get it. `revision` counts this view's own events, without gaps. */
export interface ViewEvent {
  readonly revision: number;
  readonly timestampMs: number;
  readonly kind: EventKind;
  readonly nodeId: string;
  readonly payload: JsonObject;
}

/** What a user sees of an event; the rest of its payload is for admins. */
const USER_FACTS = ['service_id', 'op', 'from', 'to', 'reason', 'invocation_id', 'state', 'recorded_at'];

/** The owner of the invocation that an event is about; null where all who see the service may see it. */
export function ownerOfEvent(kind: EventKind, payload: JsonObject): JsonObject | null {
  return kind === 'invocation_finished' ? (payload['by'] as JsonObject) : null;
}

export function factsForUsers(payload: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(payload).filter(([name]) => USER_FACTS.includes(name)));
}

export function viewEventFromRow(row: Row): ViewEvent {
  return {
    revision: row['seq'] as number,
    timestampMs: row['timestamp_ms'] as number,
    kind: row['kind'] as EventKind,
    nodeId: row['node_id'] as string,
    payload: JSON.parse(row['payload'] as string) as JsonObject,
  };
}
