import type { MetricFamily } from '../core/index.js';

/** What any process says of itself, by the names that all programs have for it. */
export function processMetrics(startedAtMs: number): MetricFamily[] {
  const { user, system } = process.cpuUsage();
  return [
    {
      name: 'process_resident_memory_bytes',
      help: 'Resident memory of the process.',
      type: 'gauge',
      samples: [{ labels: {}, value: process.memoryUsage.rss() }],
    },
    {
      name: 'process_cpu_seconds_total',
      help: 'Processor time that the process took.',
      type: 'counter',
      samples: [{ labels: {}, value: (user + system) / 1e6 }],
    },
    {
      name: 'process_start_time_seconds',
      help: 'When it started, in seconds since the epoch.',
      type: 'gauge',
      samples: [{ labels: {}, value: startedAtMs / 1000 }],
    },
  ];
}
