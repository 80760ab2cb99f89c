import type { Registry } from 'prom-client';
import type { ControlStore } from '../store/store.js';

/** What is counted where several control planes have one store; nothing where there is one only. */
export function addReplicaMetrics(
  { Counter, Gauge }: typeof import('prom-client'),
  { replicas }: ControlStore,
  registers: Registry[],
): void {
  if (replicas === undefined) return;
  const { replica, membership, relayCounts } = replicas;
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name: `acheron_control_${name}`,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  };
  const count = (name: string, help: string, value: () => number): void => {
    new Counter({
      name: `acheron_control_${name}_total`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  };
  gauge('replicas', 'Control planes whose lease runs.', () => membership.members().length);
  gauge('replica_serving', 'Whether this one may serve.', () => (membership.isServing() ? 1 : 0));
  gauge(
    'replica_lease_left_seconds',
    'How long it may serve without its store.',
    () => membership.lease.leftMs / 1000,
  );
  gauge('log_applied_seq', 'The newest entry of the log that is applied.', () => replica.appliedSeq);
  gauge('log_lag_entries', 'Entries that are known of and not applied.', () => replica.lag);
  count('log_applied', 'Entries that were applied.', () => replica.counts.applied);
  count('log_appends', 'Entries that were to be appended.', () => replica.counts.appends);
  count('log_append_seconds', 'How long that took, in sum.', () => replica.counts.appendSeconds);
  count(
    'log_conflicts',
    'Entries that came second, whose changes were worked out again.',
    () => replica.counts.conflicts,
  );
  count(
    'log_turns',
    'Turns at the head of the log that were waited for, since others write at the same time.',
    () => replica.counts.turns,
  );
  count('log_turns_missed', 'Turns that did not come in time.', () => replica.counts.missedTurns);
  count('log_retries', 'Times that the store was asked once more.', () => replica.counts.retries);
  count(
    'store_reconnects',
    'How often the store was connected to anew.',
    () => replica.log.facts().reconnects,
  );
  count('relay_sent_bytes', 'Sent to other replicas.', () => relayCounts.sentBytes);
  count('relay_received_bytes', 'Received from other replicas.', () => relayCounts.receivedBytes);
  new Gauge({
    name: 'acheron_control_relay_open',
    help: 'Nodes that are open between replicas: asked for at others, or served to them.',
    labelNames: ['side'],
    registers,
    collect() {
      for (const [side, value] of Object.entries(relayCounts.open)) this.set({ side }, value);
    },
  });
  new Counter({
    name: 'acheron_control_relay_failures_total',
    help: 'Failures between replicas, by reason.',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      for (const [reason, value] of Object.entries(relayCounts.failures)) this.inc({ reason }, value);
    },
  });
}
