import { FsError } from '../core/index.js';
import type { Driver, DriverContext } from '../drivers/index.js';
import type { ServiceDefinition } from '../manifest/index.js';
import {
  TerminalDriver,
  createExport,
  createFsProvider,
  fsServiceDefinition,
  terminalServiceDefinition,
  type ExportRights,
} from '../providers/index.js';
import type { Vfs } from '../vfs/index.js';
import { squashUserFor } from './squash-user.js';

/** A directory to show, as `--export name=path[:ro|rw][:as=USER][:xdev]` says it. */
export interface ExportRequest {
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
  /** Whom remote callers act as, where the node is root: a name, `uid` or `uid:gid`. Null: the driver user, or nobody. */
  readonly as?: string | null;
  /** What is mounted below is shown too. */
  readonly crossMounts?: boolean;
}

/** A service that the program brings itself: its definition, what runs it, what it shows at its root. */
export interface BuiltinService {
  readonly definition: ServiceDefinition;
  readonly driver: Driver | null;
  readonly provider: { readonly name: string; readonly tree: Vfs } | null;
}

export interface BuiltinRequest {
  readonly exports: readonly ExportRequest[];
  readonly terminals: readonly string[];
  /** Real paths that no export may overlap: state, tokens, manifests, drivers, the mount point. */
  readonly forbidden: readonly string[];
}

/** @throws FsError what opening an export throws; EEXIST where two terminals have one id. */
export async function openBuiltins(
  request: BuiltinRequest,
  context: DriverContext,
  rights: ExportRights,
): Promise<BuiltinService[]> {
  const twice = request.terminals.find((id, at) => request.terminals.indexOf(id) !== at);
  if (twice !== undefined)
    throw new FsError('EEXIST', `Two terminals are called ${JSON.stringify(twice)}.`, {
      hint: 'Give each --terminal-id an id of its own.',
    });
  const services = request.terminals.map((id) => terminalService(id, context));
  if (request.exports.length > 0) services.push(await fsService(request, context, rights));
  return services;
}

function terminalService(id: string, context: DriverContext): BuiltinService {
  const definition = terminalServiceDefinition(context.nodeId, id);
  const { serviceId, runtime } = definition;
  const driver = new TerminalDriver({ serviceId, limits: runtime.limits }, context);
  return { definition, driver, provider: null };
}

async function fsService(
  { exports, forbidden }: BuiltinRequest,
  context: DriverContext,
  rights: ExportRights,
): Promise<BuiltinService> {
  const opened = [];
  try {
    for (const { as = null, ...one } of exports) {
      const squash = squashUserFor(one.name, as, context.driverUser);
      opened.push(await createExport({ ...one, squash, forbidden, log: context.log }));
    }
  } catch (thrown) {
    await Promise.all(opened.map((one) => one.close()));
    throw FsError.from(thrown);
  }
  return {
    definition: fsServiceDefinition(context.nodeId, opened),
    driver: null,
    provider: { name: 'fs', tree: createFsProvider(opened, rights) },
  };
}
