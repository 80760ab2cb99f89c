import type { Event } from '../wire/control.js';

/** A change of a service's health, or a control of it. */
export interface HealthEvent {
  readonly revision: number;
  readonly at: string;
  readonly what: string;
  readonly why: string;
}

export const MAX_HEALTH_EVENTS = 50;

interface Line {
  readonly at: string;
  readonly revision: number;
  readonly type: string;
  readonly node_id?: string;
  readonly service_id?: string;
  readonly from?: string | null;
  readonly to?: string;
  readonly reason?: string | null;
  readonly op?: string;
  readonly by?: { readonly role?: string | null; readonly agent_id?: string | null };
  readonly recorded_at?: string;
}

/** The events of one service in the text of `/events.ndjson`, newest first. */
export function healthEventsIn(text: string, nodeId: string, serviceId: string): readonly HealthEvent[] {
  const lines = text
    .split('\n')
    // Most lines are of others, and need not be parsed for that.
    .filter((line) => line.includes('"service_') && line.includes(JSON.stringify(serviceId)))
    .map((line) => JSON.parse(line) as Line)
    .filter(({ node_id, service_id }) => node_id === nodeId && service_id === serviceId);
  return lines
    .flatMap((line) => eventFrom(line) ?? [])
    .reverse()
    .slice(0, MAX_HEALTH_EVENTS);
}

/** The same of an event of the watch; null for one of another kind or service. */
export function healthEventOf(event: Event, nodeId: string, serviceId: string): HealthEvent | null {
  const { kind, node_id, revision, timestamp_ms, details } = event;
  if (node_id !== nodeId || details === null || typeof details !== 'object') return null;
  const line = { ...details, type: kind, revision, at: new Date(timestamp_ms).toISOString() } as Line;
  return line.service_id === serviceId ? eventFrom(line) : null;
}

/** Newest first, each once, and not too many. */
export function withHealthEvents(
  shown: readonly HealthEvent[],
  more: readonly HealthEvent[],
): readonly HealthEvent[] {
  const all = new Map([...shown, ...more].map((event) => [event.revision, event]));
  return [...all.values()].sort((one, other) => other.revision - one.revision).slice(0, MAX_HEALTH_EVENTS);
}

function eventFrom({ type, revision, at, recorded_at, from, to, reason, op, by }: Line): HealthEvent | null {
  const common = { revision, at: recorded_at ?? at };
  if (type === 'service_health')
    return { ...common, what: `${from ?? 'unknown'} → ${to ?? 'unknown'}`, why: reason ?? '' };
  if (type === 'service_control')
    return { ...common, what: op ?? '', why: ['by', by?.role, by?.agent_id].filter(Boolean).join(' ') };
  return null;
}
