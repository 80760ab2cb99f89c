import type { JsonObject } from '../../core/index.js';
import { controlRequest, encodeEnvelope, type ControlPush } from '../../protocol/index.js';

/** A watched event before it is counted for a watch. */
export interface WatchEvent {
  readonly revision: number;
  readonly timestampMs: number;
  readonly kind: string;
  readonly nodeId: string | null;
  readonly payload: JsonObject;
}

type Push = ControlPush<'node_service_event'>;
type OfTheWatch = Pick<Push, 'watch_id' | 'seq' | 'cursor'>;

/** What all watchers get alike, by event: it is turned into text once, however many they are. */
const COMMON = new WeakMap<WatchEvent, string>();

/** The frame that brings `event` to one watch. */
export function frameOfEvent(event: WatchEvent, ofTheWatch: OfTheWatch): string {
  let common = COMMON.get(event);
  if (common === undefined) {
    common = JSON.stringify(commonOf(event)).slice(1);
    COMMON.set(event, common);
  }
  const frame = encodeEnvelope(controlRequest('control.node_service_event', undefined, ofTheWatch));
  // Both objects have fields, so that a comma may stand between those of the one and those of the other.
  return `${frame.slice(0, -'}}'.length)},${common}}`;
}

function commonOf(event: WatchEvent): Omit<Push, keyof OfTheWatch> {
  const { revision, timestampMs, kind, nodeId, payload } = event;
  const common = { revision, timestamp_ms: timestampMs, kind, node_id: nodeId };
  if (kind !== 'services') return { ...common, details: payload };
  const delta = { changed: true, revision, timestamp_ms: timestampMs, ...(payload as never as Lists) };
  return { ...common, service_delta: delta };
}

interface Lists {
  added: never[];
  updated: never[];
  removed: never[];
}
