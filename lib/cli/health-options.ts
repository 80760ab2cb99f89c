import type { Command } from 'commander';
import { type Log } from '../core/index.js';
import { healthServer, type HealthServer, type HealthSource } from '../telemetry/index.js';
import { listenAtFrom, type ListenAt } from './node-listener.js';
import { option } from './options.js';
import { secretIn } from './plane-options.js';

/** Options of whatever can be asked how it is. */
export interface HealthFlags {
  readonly listenMetrics?: ListenAt;
  readonly metricsTokenFile?: string;
}

export function addHealthOptions(command: Command): Command {
  return command
    .addOption(
      option(
        '--listen-metrics <[host:]port>',
        'answer /healthz, /readyz and /metrics by HTTP (host: 127.0.0.1; port 0 picks one)',
      ).argParser(listenAtFrom),
    )
    .addOption(
      option(
        '--metrics-token-file <file>',
        'a file with a token; who brings it to /metrics sees services by their names, others sums alone',
      ),
    );
}

/** Null where nobody is to ask. @throws FsError EBUSY (the port), EACCES (the token's file) */
export async function answerHealth(
  { listenMetrics, metricsTokenFile }: HealthFlags,
  source: HealthSource,
  log: Log,
): Promise<HealthServer | null> {
  if (listenMetrics === undefined) return null;
  const token = metricsTokenFile === undefined ? null : secretIn(metricsTokenFile);
  return healthServer({ ...listenMetrics, token, log }, source);
}
