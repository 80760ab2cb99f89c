import { systemClock, type MetricFamily, type MetricSample } from '../core/index.js';
import { DURATION_BOUNDS, stateOf, type Service } from '../services/index.js';
import { prometheusText } from '../telemetry/index.js';
import { CheckedDocument, StableSnapshot, noSuchEntry, type Node, type Op } from '../vfs/index.js';

/** What is known of a node beside its services. */
export interface MeasuredNode {
  readonly nodeId: string;
  readonly version: string;
  readonly services: readonly Service[];
  readonly faultyFiles: number;
  /** Whether its control plane is connected; null where it has none. */
  readonly connected: boolean | null;
}

/** So many services are named; all others are counted together. */
const MAX_NAMED = 1000;
const OTHERS = 'other';
const STATES = ['online', 'degraded', 'offline'] as const;
const COUNTERS = [
  ['invocations_total', 'invokes_total', 'Invocations that were started.'],
  ['failures_total', 'failures_total', 'Invocations that failed, timeouts included.'],
  ['timeouts_total', 'timeouts_total', 'Invocations that took too long.'],
  ['cancelled_total', 'cancelled_total', 'Invocations that were cancelled.'],
  ['rejected_total', 'rejected_total', 'Requests that were refused.'],
] as const;

/** What a node says of itself. `named`: by service, for admins; else of all services together. */
export function nodeMetrics(node: MeasuredNode, named: boolean): MetricFamily[] {
  const groups = groupsOf(node.services, named);
  const gauge = (name: string, help: string, samples: readonly MetricSample[]): MetricFamily => ({
    name: `acheron_node_${name}`,
    help,
    type: 'gauge',
    samples,
  });
  const each = (value: (services: readonly Service[]) => number): MetricSample[] =>
    groups.map(({ labels, services }) => ({ labels, value: value(services) }));
  const sum = (of: (service: Service) => number) => (services: readonly Service[]) =>
    services.reduce((total, service) => total + of(service), 0);
  return [
    gauge('info', 'The node; always 1.', [
      {
        labels: named ? { node_id: node.nodeId, version: node.version } : { version: node.version },
        value: 1,
      },
    ]),
    gauge(
      'services',
      'Services, by how they are.',
      STATES.map((state) => ({
        labels: { state },
        value: node.services.filter(({ health }) => health.state === state).length,
      })),
    ),
    gauge('manifest_faults', 'Manifests that are faulty.', [{ labels: {}, value: node.faultyFiles }]),
    ...(node.connected === null
      ? []
      : [
          gauge('control_connected', 'Whether the control plane is connected.', [
            { labels: {}, value: node.connected ? 1 : 0 },
          ]),
        ]),
    ...COUNTERS.map(([name, counter, help]): MetricFamily => ({
      name: `acheron_node_${name}`,
      help,
      type: 'counter',
      samples: each(sum(({ metrics }) => metrics.get(counter))),
    })),
    gauge('invocations_running', 'Invocations that run now.', each(sum(({ running }) => running))),
    gauge('invocations_queued', 'Invocations that wait for their turn.', each(sum(({ queued }) => queued))),
    {
      name: 'acheron_node_invocation_duration_seconds',
      help: 'How long invocations took, since the node started.',
      type: 'histogram',
      samples: groups.map(({ labels, services }) => ({
        labels,
        bounds: DURATION_BOUNDS,
        counts: DURATION_BOUNDS.concat(Infinity).map((_bound, at) =>
          sum(({ metrics }) => metrics.durationCounts[at] ?? 0)(services),
        ),
        sum: sum(({ metrics }) => metrics.durationSumSeconds)(services),
      })),
    },
    ...(named
      ? [
          gauge(
            'service_up',
            'Whether the service takes calls.',
            groups.map(({ labels, services }) => ({
              labels,
              value: services.every((service) => stateOf(service) !== 'offline') ? 1 : 0,
            })),
          ),
        ]
      : []),
  ];
}

interface Group {
  readonly labels: Readonly<Record<string, string>>;
  readonly services: readonly Service[];
}

/** Services that are counted together: each alone while there are not too many. */
function groupsOf(services: readonly Service[], named: boolean): Group[] {
  if (!named) return [{ labels: {}, services }];
  const groups = services
    .slice(0, MAX_NAMED)
    .map((service): Group => ({ labels: { service_id: service.id }, services: [service] }));
  const others = services.slice(MAX_NAMED);
  return others.length === 0 ? groups : [...groups, { labels: { service_id: OTHERS }, services: others }];
}

/** Metrics as Prometheus reads them, as they are at open. */
export function metricsDocument(metrics: () => MetricFamily[]): Node {
  const text = new StableSnapshot();
  const render = (): ReturnType<StableSnapshot['snapshot']> =>
    text.snapshot(Buffer.from(prometheusText(metrics())), systemClock.now());
  return new CheckedDocument(render, requireAdmin, { freshness: 'live', mode: 0o400 });
}

/** @throws FsError ENOENT to all others */
export function requireAdmin({ session }: Op): void {
  if (session.role !== 'admin' || session.revoked) throw noSuchEntry('that');
}
