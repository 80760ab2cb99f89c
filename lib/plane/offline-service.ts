import { FsError, documentFromJson, type JsonObject, type JsonValue } from '../core/index.js';
import type { Session } from '../policy/index.js';
import {
  BaseFile,
  Document,
  MapDir,
  RenderedText,
  SnapshotHandle,
  fileStat,
  newIno,
  nsFromMs,
  type FileHandle,
  type Freshness,
  type Node,
  type OpenFlags,
  type Op,
  type Stat,
} from '../vfs/index.js';
import { AwayDir, AwayFile, type FindAway } from './away.js';

/** What is known of a service whose node is away, as one session may see it. */
export interface KnownService {
  readonly nodeId: string;
  readonly serviceId: string;
  readonly descriptor: JsonObject;
  readonly seenAtMs: number;
  readonly mayInvoke: boolean;
  readonly mayControl: boolean;
}

/** @throws FsError ENOENT where the session may not know of the service. */
export type FindService = (session: Session) => KnownService;

/** The descriptors of a service whose node is away; whoever invokes it is told so at once. */
export function offlineServiceDir(find: FindService): MapDir {
  const entries = new Map<string, Node>();
  for (const [name, render] of DESCRIPTORS) entries.set(name, documentOf(find, render));
  const away =
    (modeOf: (service: KnownService) => number): FindAway =>
    (op) => {
      const service = find(op.session);
      return { mode: modeOf(service), seenAtMs: service.seenAtMs, error: offlineError(service.nodeId) };
    };
  for (const name of ['result.json', 'metrics.json']) entries.set(name, new AwayFile(away(() => 0o444)));
  entries.set('config.json', new AwayFile(away(({ mayControl }) => (mayControl ? 0o600 : 0))));
  entries.set('jobs', new AwayDir(away(() => 0o555)));
  entries.set('calls', new AwayDir(away(({ mayInvoke }) => (mayInvoke ? 0o755 : 0o555))));
  entries.set('control', offlineControls(find, away));
  const alias = (name: string): [string, Node] => [name.toLowerCase(), entries.get(name)!];
  return new MapDir(entries, {
    check: (op) => void find(op.session),
    unlisted: new Map([alias('SCHEMA.json'), alias('TEMPLATE.json')]),
  });
}

/** `control/` of a service whose node is away: as it is listed while the node is here. */
function offlineControls(
  find: FindService,
  away: (modeOf: (service: KnownService) => number) => FindAway,
): MapDir {
  const invoking = away(({ mayInvoke }) => (mayInvoke ? 0o644 : 0o444));
  const controlling = away(({ mayControl }) => (mayControl ? 0o644 : 0o444));
  return new MapDir(
    new Map<string, Node>([
      ['invoke.json', new OfflineControl(find)],
      ['submit.json', new OfflineControl(find)],
      ['reset', new AwayFile(invoking)],
      ['enable', new AwayFile(controlling)],
      ['disable', new AwayFile(controlling)],
      ['restart', new AwayFile(controlling)],
      ['cancel', new AwayFile(invoking)],
    ]),
    { check: (op) => void find(op.session) },
  );
}

export function offlineError(nodeId: string): FsError {
  return new FsError('EHOSTDOWN', `Node ${nodeId} is not connected.`, {
    hint:
      'Its descriptors can still be read. It comes back by itself; nothing has to be mounted again. The outcome ' +
      'of a call that was running is found under jobs/ then (jobs/by-key/KEY where it had a _key).',
  });
}

function documentOf(find: FindService, render: (service: KnownService) => Buffer): Document {
  const text = new RenderedText();
  return new Document(
    ({ session }) => {
      const service = find(session);
      return text.snapshot(render(service), service.seenAtMs);
    },
    { freshness: 'live' },
  );
}

const field = ({ descriptor }: KnownService, name: string, otherwise: JsonValue): JsonValue =>
  descriptor[name] ?? otherwise;

const DESCRIPTORS: readonly (readonly [string, (service: KnownService) => Buffer])[] = [
  ['README.md', readme],
  ['SCHEMA.json', (service) => documentFromJson(field(service, 'schema', {}))],
  ['TEMPLATE.json', (service) => documentFromJson(field(service, 'invoke_template', {}))],
  ['HOST.json', (service) => documentFromJson(hostContract(service))],
  ['SERVICE.json', (service) => documentFromJson({ ...service.descriptor, state: 'offline' })],
  ['CAPS.json', (service) => documentFromJson(field(service, 'capabilities', {}))],
  ['MOUNTS.json', (service) => documentFromJson(field(service, 'mounts', []))],
  ['OPS.json', (service) => documentFromJson(field(service, 'ops', {}))],
  ['RUNTIME.json', (service) => documentFromJson(field(service, 'runtime', {}))],
  ['PERMISSIONS.json', (service) => documentFromJson(field(service, 'permissions', {}))],
  ['status.json', () => documentFromJson(OFFLINE_STATUS)],
  ['health.json', () => documentFromJson({ state: 'offline' })],
  ['last_error.txt', ({ nodeId }) => Buffer.from(`EHOSTDOWN: ${offlineError(nodeId).sentence}\n`)],
];

const OFFLINE_STATUS = {
  state: 'offline',
  invocation_id: null,
  exit_code: null,
  error: null,
  errno: null,
  started_at: null,
  finished_at: null,
  duration_ms: null,
  by: null,
};

function readme({ nodeId, serviceId, descriptor }: KnownService): Buffer {
  const help = typeof descriptor.help_md === 'string' ? descriptor.help_md.trim() : '';
  const text = help === '' ? `# ${serviceId}` : help;
  return Buffer.from(`${text}\n\nNode ${nodeId} is away just now: it cannot be called until it returns.\n`);
}

function hostContract(service: KnownService): JsonObject {
  const { nodeId, serviceId } = service;
  const runtime = field(service, 'runtime', {}) as JsonObject;
  const path = `/nodes/${nodeId}/services/${serviceId}`;
  return {
    contract: 'acheron-service-v1',
    abi: 'namespace-driver-v1',
    runtime: runtime.type ?? null,
    node: { id: nodeId },
    invoke: {
      path: `${path}/control/invoke.json`,
      submit_path: `${path}/control/submit.json`,
      schema: (field(service, 'schema', {}) as JsonObject).input ?? {},
    },
  };
}

/** `control/invoke.json` of a node that is away: it reads as its form, and cannot be written. */
class OfflineControl extends BaseFile {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #find: FindService;

  constructor(find: FindService) {
    super();
    this.#find = find;
  }

  stat(op: Op): Stat {
    const service = this.#find(op.session);
    const { length } = documentFromJson(field(service, 'invoke_template', {}));
    return fileStat(this.ino, nsFromMs(service.seenAtMs), service.mayInvoke ? 0o644 : 0o444, length);
  }

  open(flags: OpenFlags, op: Op): FileHandle {
    const service = this.#find(op.session);
    if (flags.write) {
      if (!service.mayInvoke) throw new FsError('EACCES', 'This session may not invoke the service.');
      throw offlineError(service.nodeId);
    }
    return new SnapshotHandle(documentFromJson(field(service, 'invoke_template', {})), this.stat(op), true);
  }
}
