import type { ControlEnvelope } from '../envelope.js';

/** The type of what programs of the family are told besides: neither a reply nor an event of ours. */
export const DEBUG_EVENT = 'debug.event';

/** `timestamp` is in milliseconds, as `timestamp_ms`. */
function debugEvent(category: string, nowMs: number, payload: object): object {
  return { channel: 'control', type: DEBUG_EVENT, timestamp: nowMs, timestamp_ms: nowMs, category, payload };
}

/** What projects mount is other than before. */
export const topologyEvent = (nowMs: number): object => debugEvent('control.workspace_topology', nowMs, {});

/** What they wait for after a request of theirs: its id stands in `request`. */
export function debugReply({ id }: ControlEnvelope, nowMs: number, payload: object): object {
  const answered = id === undefined ? {} : { id, request: id };
  return { ...debugEvent('control.subscription', nowMs, payload), ok: true, ...answered };
}
