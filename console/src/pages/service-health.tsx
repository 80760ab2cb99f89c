import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { healthEventOf, healthEventsIn, withHealthEvents, type HealthEvent } from '../model/health-events.js';
import type { Session } from '../model/session.js';
import { useStore } from '../model/store.js';
import { StateBadge } from '../parts/state-badge.js';
import { Table } from '../parts/table.js';
import { Time } from '../parts/time.js';

type Health = Readonly<Record<string, unknown>>;

interface Props {
  readonly session: Session;
  readonly nodeId: string;
  readonly serviceId: string;
  readonly health: Health;
}

/** How the service fares, since when and why, and how it came to that. */
export function ServiceHealth({ session, nodeId, serviceId, health }: Props): JSX.Element {
  const events = useHealthEvents(session, nodeId, serviceId);
  const probe = health.probe as { readonly status?: unknown; readonly message?: unknown } | null;
  const facts: [string, JSX.Element | string][] = [
    ['State', <StateBadge state={textOf(health.state) || 'offline'} />],
    ['Enabled', health.enabled === false ? 'no' : 'yes'],
    ['Why', textOf(health.last_error)],
    ['Since', timeOf(health.last_transition_ms)],
    ['Last healthy', timeOf(health.last_healthy_ms)],
    ['Rests until', timeOf(health.cooldown_until_ms)],
    ['Probe', probe === null ? '' : [textOf(probe.status), textOf(probe.message)].filter(Boolean).join(': ')],
    ['Failures in a row', numberOf(health.consecutive_failures)],
    ['Restarts', numberOf(health.restarts_total)],
  ];
  return (
    <section aria-labelledby="health">
      <h2 id="health">Health</h2>
      <dl class="facts">
        {facts
          .filter(([, value]) => value !== '')
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
      <Table
        label="Changes of health"
        titles={['When (UTC)', 'What', 'Why']}
        empty="Nothing is known to have happened to it lately."
        rows={events.map(({ revision, at, what, why }) => ({
          key: String(revision),
          cells: [<Time ms={Date.parse(at)} />, what, why],
        }))}
      />
    </section>
  );
}

/** What is kept of the past, and what the watch says since. */
function useHealthEvents(
  { control, files }: Session,
  nodeId: string,
  serviceId: string,
): readonly HealthEvent[] {
  const state = useStore(files.state);
  const [events, setEvents] = useState<readonly HealthEvent[]>([]);
  useEffect(() => {
    if (state !== 'open') return undefined;
    let isWanted = true;
    files.readText('events.ndjson').then(
      (text) => {
        if (isWanted) setEvents((shown) => withHealthEvents(shown, healthEventsIn(text, nodeId, serviceId)));
      },
      () => undefined, // The past is not there now; the watch says what comes.
    );
    return () => {
      isWanted = false;
    };
  }, [files, state]);
  useEffect(
    () =>
      control.watch({
        reset: () => undefined,
        event: (event) => {
          const found = healthEventOf(event, nodeId, serviceId);
          if (found !== null) setEvents((shown) => withHealthEvents(shown, [found]));
        },
      }),
    [control],
  );
  return events;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const numberOf = (value: unknown): string => (typeof value === 'number' && value > 0 ? String(value) : '');
const timeOf = (value: unknown): JSX.Element | string =>
  typeof value === 'number' && value > 0 ? <Time ms={value} /> : '';
