import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import type { RunningNodeOptions } from '../compose/index.js';
import { FsError, idFrom, isId, type Log, type NodeId } from '../core/index.js';
import { DEFAULT_AUDIT_UNSENT_BYTES } from '../disk/index.js';
import { addressRules } from '../drivers/index.js';
import {
  DEFAULT_UID_RANGE,
  DYNAMIC,
  driverUserFrom,
  mustBeRoot,
  type ExportRequest,
  type UidRange,
  type UserMapRequest,
  type UserOptions,
} from '../node/index.js';
import { DEFAULT_JOB_LIMITS } from '../services/index.js';
import { configFile } from './config-file.js';
import { defaultStateDir } from './state-dir.js';
import { stateFileIn } from './socket-path.js';
import { collect, collectLabels, idArgument, integer, option, stateFileOption } from './options.js';
import { VERSION } from './version.js';

/** Options of all commands that run a node in their process. */
export interface NodeFlags {
  readonly nodeName?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly stateDir: string;
  readonly stateFile?: string;
  readonly serviceManifest?: readonly string[];
  readonly servicesDir?: readonly string[];
  readonly manifestReloadIntervalMs: number;
  readonly trustWritable?: boolean;
  readonly fsync?: boolean;
  readonly driverUser?: string;
  readonly terminalUser?: string;
  readonly driverUidRange: UidRange;
  readonly allowNewPrivileges?: boolean;
  readonly allowPrivate?: readonly string[];
  readonly export?: readonly ExportRequest[];
  readonly fsService: boolean;
  readonly terminalId?: readonly string[];
  readonly jobsKeep: number;
  readonly jobsKeepBytes: number;
  readonly keysKeep: number;
  readonly keysKeepBytes: number;
  readonly auditUnsentBytes: number;
  readonly stopGraceMs: number;
}

export function addNodeOptions(command: Command): Command {
  return command
    .addOption(option('--node-name <name>', "the node's name").argParser(idArgument))
    .addOption(option('--label <key=value>', 'a label of the node (repeatable)').argParser(collectLabels))
    .addOption(stateFileOption())
    .addOption(
      option('--service-manifest <file>', 'a manifest to load (repeatable)').argParser(
        collect((file) => resolve(file)),
      ),
    )
    .addOption(
      option('--services-dir <dir>', 'a directory whose *.json are manifests (repeatable)').argParser(
        collect((dir) => resolve(dir)),
      ),
    )
    .addOption(
      option(
        '--manifest-reload-interval-ms <ms>',
        'how often manifests are read again besides being watched; 0: watch only',
      )
        .argParser(integer(0))
        .default(2000),
    )
    .addOption(option('--trust-writable', 'take manifests and drivers that other users may write to'))
    .addOption(
      option('--fsync', 'flush each result to the disk before the caller is answered (survives power loss)'),
    )
    .addOption(
      option(
        '--driver-user <user>',
        'run drivers as this user; "dynamic": each service as a user of its own (only as root)',
      ),
    )
    .addOption(
      option(
        '--terminal-user <user>',
        'run terminals as this user (only as root; default: where drivers have a user, a user of their own)',
      ),
    )
    .addOption(
      option('--driver-uid-range <first-last>', 'the numbers that users of their own are taken of')
        .argParser(uidRangeFrom)
        .default(DEFAULT_UID_RANGE, '61184-65519'),
    )
    .addOption(
      option(
        '--allow-new-privileges',
        'let drivers and terminals gain privileges by set-id programs such as sudo',
      ),
    )
    .addOption(
      option(
        '--allow-private <addresses>',
        'let services reach addresses that are not public (repeatable): an address, a range such as 10.0.0.0/8, or loopback, private, link-local, all',
      ).argParser(collect(addressesFrom)),
    )
    .addOption(
      option(
        '--export <name=path[:ro|rw][:as=USER][:map=USERS[@AGENTS]][:xdev]>',
        'show a directory at fs/<name> (repeatable). Read-only unless :rw. Where the node is root, remote callers act as USER: a name or uid[:gid]; default: --driver-user, else nobody; mounts of admins, or of AGENTS, may ask to act as one of USERS instead (names, uids, 1000-1999). It ends at mount points unless :xdev',
      ).argParser(collect(exportFrom)),
    )
    .addOption(option('--no-fs-service', 'leave out the service fs, whatever is exported'))
    .addOption(
      option('--terminal-id <id>', 'offer a terminal as the service terminal-<id> (repeatable)').argParser(
        collect(idArgument),
      ),
    )
    .addOption(
      option(
        '--stop-grace-ms <ms>',
        'how long calls that run may go on once it is asked to stop; no new one is taken meanwhile',
      )
        .argParser(integer(0))
        .default(0),
    )
    .addOption(
      option('--jobs-keep <count>', 'finished jobs kept for each service and caller')
        .argParser(integer(1))
        .default(64),
    )
    .addOption(
      option('--jobs-keep-bytes <bytes>', 'bytes of finished jobs kept for each service and caller')
        .argParser(integer(0))
        .default(64 * 1024 * 1024),
    )
    .addOption(
      option('--keys-keep <count>', 'keys ("_key") kept for each service and caller, 24 hours each')
        .argParser(integer(1))
        .default(1_000_000),
    )
    .addOption(
      option('--keys-keep-bytes <bytes>', 'bytes of keys with their outcomes for each service and caller')
        .argParser(integer(1))
        .default(4 * 1024 * 1024 * 1024),
    )
    .addOption(
      option('--audit-unsent-bytes <bytes>', 'bytes of audit records kept until the control plane has them')
        .argParser(integer(1))
        .default(DEFAULT_AUDIT_UNSENT_BYTES),
    );
}

/** `name=path[:ro|rw][:as=USER][:map=USERS[@AGENTS]][:xdev]`, the words in any order; read-only unless it says otherwise. */
function exportFrom(text: string): ExportRequest {
  const [, name, path, rest = ''] =
    /^([^=]+)=(.+?)((?::(?:ro|rw|xdev|as=\d+:\d+|as=[^:]+|map=[^:]+))*)$/.exec(text) ?? [];
  if (name === undefined || path === undefined)
    throw new InvalidArgumentError('It must look like name=path, name=path:rw or name=path:rw:as=USER.');
  const words = rest.match(/:(?:as=\d+:\d+|[^:]+)/g)?.map((word) => word.slice(1)) ?? [];
  const kinds = words.map((word) => (word === 'ro' || word === 'rw' ? 'mode' : word.split('=')[0]));
  if (new Set(kinds).size !== kinds.length)
    throw new InvalidArgumentError('Each of :ro or :rw, :as=USER, :map=USERS and :xdev can be given once.');
  return {
    name: idArgument(name),
    path: resolve(path),
    readOnly: !words.includes('rw'),
    as: words.find((word) => word.startsWith('as='))?.slice('as='.length) ?? null,
    map: userMapFrom(words.find((word) => word.startsWith('map='))?.slice('map='.length)),
    crossMounts: words.includes('xdev'),
  };
}

/** `USER[,USER…][@AGENT[,AGENT…]]`. */
function userMapFrom(text: string | undefined): UserMapRequest | null {
  if (text === undefined) return null;
  const [users = '', agents, ...rest] = text.split('@');
  const listed = (list: string): string[] => list.split(',');
  const isMap = listed(users).every((user) => /^[\w.-]+\$?$/.test(user)) && rest.length === 0;
  if (!isMap || (agents !== undefined && !listed(agents).every((agent) => agent === '*' || isId(agent))))
    throw new InvalidArgumentError(
      'After :map= come users (alice,1000-1999), and perhaps agents (@ws1,ws2 or @*).',
    );
  return { users: listed(users), agents: agents === undefined ? [] : listed(agents) };
}

function addressesFrom(text: string): string {
  try {
    addressRules([text]);
    return text;
  } catch (thrown) {
    throw new InvalidArgumentError(FsError.from(thrown).sentence);
  }
}

function uidRangeFrom(text: string): UidRange {
  const [first = NaN, last = NaN] = (/^(\d+)-(\d+)$/.exec(text) ?? []).slice(1).map(Number);
  if (!(first >= 1000 && first <= last && last < 4_294_967_294))
    throw new InvalidArgumentError('It must look like 61184-65519, from 1000 on.');
  return { first, last };
}

function userOptions({ driverUser, terminalUser, driverUidRange }: NodeFlags): UserOptions {
  if (driverUser === DYNAMIC || terminalUser === DYNAMIC) mustBeRoot('users of their own');
  return {
    driverUser: driverUser === undefined || driverUser === DYNAMIC ? null : driverUserFrom(driverUser),
    dynamicDriverUsers: driverUser === DYNAMIC,
    uidRange: driverUidRange,
    ...(terminalUser === undefined
      ? {}
      : { terminalUser: terminalUser === DYNAMIC ? DYNAMIC : driverUserFrom(terminalUser) }),
  };
}

export const stateFileOf = ({ stateFile, stateDir }: NodeFlags): string => stateFile ?? stateFileIn(stateDir);

export function localNodeOptions(
  flags: NodeFlags,
  more: { nodeId: string; servicesDirs: readonly string[]; mountDir: string | null; log: Log },
): RunningNodeOptions {
  return {
    nodeId: idFrom<NodeId>(more.nodeId, 'The node id'),
    nodeName: flags.nodeName ?? more.nodeId,
    labels: flags.label ?? {},
    version: VERSION,
    stateFile: stateFileOf(flags),
    manifestFiles: flags.serviceManifest ?? [],
    servicesDirs: [...more.servicesDirs, ...(flags.servicesDir ?? [])],
    reloadIntervalMs: flags.manifestReloadIntervalMs,
    trustWritable: flags.trustWritable === true,
    fsync: flags.fsync === true,
    jobLimits: {
      keep: flags.jobsKeep,
      keepBytes: flags.jobsKeepBytes,
      keyMs: DEFAULT_JOB_LIMITS.keyMs,
      maxKeys: flags.keysKeep,
      maxKeyBytes: flags.keysKeepBytes,
    },
    auditKeepBytes: flags.auditUnsentBytes,
    ...userOptions(flags),
    ...(flags.allowPrivate === undefined ? {} : { allowPrivate: flags.allowPrivate }),
    exports: flags.fsService ? (flags.export ?? []) : [],
    terminals: flags.terminalId ?? [],
    mountDir: more.mountDir,
    keptApart: keptApart(flags),
    log: more.log,
  };
}

/**
 * Files of this machine that hold secrets or settings, as the options, the environment and the config file name them;
 * and where a control plane of this user keeps its state.
 */
function keptApart(flags: NodeFlags): string[] {
  const secret = /-file$|^tls-(?:cert|key)$/;
  const named = Object.entries(flags).filter(([key]) => /File$|^tls(?:Cert|Key)$/.test(key));
  const inEnvironment = Object.entries(process.env).filter(([key]) =>
    /^ACHERON_(?:\w+_FILE|CONFIG)$/.test(key),
  );
  const config = configFile();
  const texts = [...named, ...inEnvironment, ...[...config.values].filter(([key]) => secret.test(key))].map(
    ([, value]) => value as unknown,
  );
  const plane = defaultStateDir();
  return [
    flags.stateDir,
    ...(config.path === null ? [] : [config.path]),
    ...(existsSync(plane) ? [plane] : []),
    ...texts.filter((text) => typeof text === 'string' && text !== '').map((text) => resolve(text as string)),
  ];
}

/** A node id from the host's name, where nobody gave one. */
export function defaultNodeId(): string {
  const id = hostname()
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 128);
  return /^\.*$/.test(id) ? 'node' : id;
}
