import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runPlane } from '../../compose/index.js';
import { FsError, type Log } from '../../core/index.js';
import { DEFAULT_DRAIN_MS, DEFAULT_PORT } from '../../control/index.js';
import { inheritedSocket } from '../../systemd/index.js';
import { AutoTls, fingerprintOf } from '../auto-tls/auto-tls.js';
import { inBackgroundOrHere, reportReady } from '../background.js';
import { daemonName } from '../daemon-name.js';
import { forgetControlUrl, keepControlUrl } from '../control-url.js';
import { addStoreOptions, advertiseOption, sharedStoreFrom, type StoreFlags } from '../store-options.js';
import { addListenOptions, listenerOptions, tlsFrom, type ListenFlags } from '../listen-options.js';
import {
  configOption,
  integer,
  logFormatOption,
  logLevelOption,
  noConsoleOption,
  option,
  stateDirOption,
  port,
} from '../options.js';
import { reloadOnHangUp } from '../reload.js';
import { goOnUnlessStopped, stopAsked } from '../stop-asked.js';
import { logLevel, processLog, type LogFlags } from '../process-log.js';
import { backupCommand, importCommand, restoreCommand } from './control-state.js';
import { telemetryFor } from '../telemetry.js';
import { VERSION } from '../version.js';

const DAY_MS = 24 * 60 * 60 * 1000;

interface ControlFlags extends ListenFlags, StoreFlags, LogFlags {
  readonly tlsAuto?: boolean;
  readonly host: string;
  readonly port: number;
  readonly stateDir: string;
  readonly eventsKeep?: number;
  readonly eventsKeepBytes?: number;
  readonly eventsKeepViewBytes?: number;
  readonly eventsKeepMs?: number;
  readonly auditKeep?: number;
  readonly auditKeepBytes?: number;
  readonly auditKeepDays?: number;
  readonly historyKeep?: number;
  readonly historyKeepBytes?: number;
  readonly historyKeepDays?: number;
  readonly leaseTtlMs?: number;
  readonly offlineGraceMs?: number;
  readonly drainMs: number;
  readonly advertise?: string;
  readonly background?: boolean;
  readonly console: boolean;
}

export function controlCommand(): Command {
  const command = new Command('control')
    .enablePositionalOptions()
    .addCommand(backupCommand())
    .addCommand(restoreCommand())
    .addCommand(importCommand())
    .description('Run the control plane: it knows all nodes, and shows each session its view of them.')
    .addOption(option('--host <address>', 'where to listen').default('127.0.0.1'))
    .addOption(option('--port <port>', 'the port; 0 picks one').argParser(port).default(DEFAULT_PORT))
    .addOption(stateDirOption());
  return addListenOptions(addStoreOptions(command).addOption(advertiseOption()))
    .addOption(
      option(
        '--tls-auto',
        'listen with TLS, by certificates that it makes, keeps in the state directory and renews by itself',
      ),
    )
    .addOption(option('--events-keep <n>', 'events kept at most').argParser(integer(1)))
    .addOption(option('--events-keep-bytes <bytes>', 'bytes of events kept at most').argParser(integer(1)))
    .addOption(
      option(
        '--events-keep-view-bytes <bytes>',
        'bytes of events kept at most for all kinds of users',
      ).argParser(integer(1)),
    )
    .addOption(option('--events-keep-ms <ms>', 'how long events are kept').argParser(integer(1)))
    .addOption(option('--audit-keep <n>', 'audit records kept at most').argParser(integer(1)))
    .addOption(
      option('--audit-keep-bytes <bytes>', 'bytes of audit records kept at most').argParser(integer(1)),
    )
    .addOption(option('--audit-keep-days <days>', 'how long audit records are kept').argParser(integer(1)))
    .addOption(option('--history-keep <n>', 'changes kept at most of each service').argParser(integer(1)))
    .addOption(
      option('--history-keep-bytes <bytes>', 'bytes kept at most of what services were').argParser(
        integer(1),
      ),
    )
    .addOption(
      option('--history-keep-days <days>', 'how long it is kept what services were').argParser(integer(1)),
    )
    .addOption(
      option('--lease-ttl-ms <ms>', 'the lease of a node that does not ask for one').argParser(integer(1)),
    )
    .addOption(
      option(
        '--offline-grace-ms <ms>',
        'how long a node may be without its connection before it is offline',
      ).argParser(integer(0)),
    )
    .addOption(
      option(
        '--drain-ms <ms>',
        'how long it waits at most, when it is to stop, until clients have gone elsewhere',
      )
        .argParser(integer(0))
        .default(DEFAULT_DRAIN_MS),
    )
    .addOption(noConsoleOption())
    .addOption(logLevelOption())
    .addOption(logFormatOption())
    .addOption(configOption())
    .addOption(option('--background', 'return when it listens, and go on in the background'))
    .addHelpText('after', EXAMPLES)
    .action((flags: ControlFlags) => inBackgroundOrHere(flags, daemonName('control'), () => control(flags)));
}

async function control(flags: ControlFlags): Promise<void> {
  const stop = stopAsked();
  const { telemetry, log, tracer } = await telemetryFor('control', flags.stateDir, processLog(flags));
  const autoTls = await autoTlsFrom(flags, log);
  const plane = await runPlane({
    tracer,
    stateDir: flags.stateDir,
    shared: sharedStoreFrom(flags),
    host: flags.host,
    port: flags.port,
    descriptor: inheritedSocket(process.env) ?? undefined,
    ...listenerOptions(flags),
    ...(autoTls === null ? {} : { tls: autoTls.tls }),
    retention: {
      ...(flags.eventsKeep === undefined ? {} : { maxEvents: flags.eventsKeep }),
      ...(flags.eventsKeepBytes === undefined ? {} : { maxBytes: flags.eventsKeepBytes }),
      ...(flags.eventsKeepViewBytes === undefined ? {} : { maxViewBytes: flags.eventsKeepViewBytes }),
      ...(flags.eventsKeepMs === undefined ? {} : { maxAgeMs: flags.eventsKeepMs }),
    },
    auditRetention: {
      ...(flags.auditKeep === undefined ? {} : { maxRecords: flags.auditKeep }),
      ...(flags.auditKeepBytes === undefined ? {} : { maxBytes: flags.auditKeepBytes }),
      ...(flags.auditKeepDays === undefined ? {} : { maxAgeMs: flags.auditKeepDays * DAY_MS }),
    },
    historyRetention: {
      ...(flags.historyKeep === undefined ? {} : { maxChanges: flags.historyKeep }),
      ...(flags.historyKeepBytes === undefined ? {} : { maxBytes: flags.historyKeepBytes }),
      ...(flags.historyKeepDays === undefined ? {} : { maxAgeMs: flags.historyKeepDays * DAY_MS }),
    },
    limits: {
      ...(flags.leaseTtlMs === undefined ? {} : { leaseTtlMs: flags.leaseTtlMs }),
      ...(flags.offlineGraceMs === undefined ? {} : { offlineGraceMs: flags.offlineGraceMs }),
    },
    console: flags.console,
    version: VERSION,
    logLevel,
    log,
  });
  telemetry?.measure(() => plane.control.metrics.families());
  reloadOnHangUp(log, () => {
    const tls = tlsFrom(flags);
    if (tls !== undefined) plane.control.replaceTls(tls);
  });
  autoTls?.renewInTime((tls) => plane.control.replaceTls(tls));
  try {
    goOnUnlessStopped();
    keepControlUrl(flags.stateDir, plane.url);
    reportReady([
      `The control plane listens on ${plane.url}.`,
      ...(autoTls === null ? [] : [`Fingerprint of its authority: ${fingerprintOf(autoTls.authority.cert)}`]),
      ...tokenLines(flags),
    ]);
    await stop;
    forgetControlUrl(flags.stateDir);
    await plane.drain(flags.drainMs);
  } finally {
    autoTls?.close();
    await plane.close();
    await telemetry?.close();
  }
}

/** @throws FsError EINVAL where certificates are given as well */
async function autoTlsFrom(flags: ControlFlags, log: Log): Promise<AutoTls | null> {
  if (flags.tlsAuto !== true) return null;
  if (flags.tlsCert !== undefined || flags.tlsKey !== undefined)
    throw new FsError('EINVAL', 'With --tls-auto it makes its certificate by itself, and one is given.', {
      hint: 'Leave out --tls-auto, or --tls-cert and --tls-key.',
    });
  return AutoTls.open({ stateDir: flags.stateDir, names: flags.allowHost ?? [], log });
}

/** Where a token is to be had. */
function tokenLines({ stateDir, store, console }: ControlFlags): string[] {
  const page = console ? [`For its web console: acheron console --state-dir ${stateDir}`] : [];
  if (store === undefined || existsSync(join(stateDir, 'admin.token')))
    return [`Tokens: ${stateDir}/admin.token, ${stateDir}/user.token.`, ...page];
  return [
    'Tokens: those of the control plane that came first with this store, in its state directory; it or an admin makes others: acheron token create.',
  ];
}

const EXAMPLES = `
Examples:
  $ acheron control
  $ acheron control --host 0.0.0.0 --tls-cert plane.crt --tls-key plane.key --background
  $ acheron control --store postgres://acheron@db1,db2/acheron --store-password-file /etc/acheron/store.password
  $ acheron control backup /backup/plane.tgz
`;
