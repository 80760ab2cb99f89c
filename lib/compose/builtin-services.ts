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
import type { Provider } from '../services/index.js';
import type { Vfs } from '../vfs/index.js';
import { ownPrograms, squashUserFor, userMapFor, type ExportRequest } from '../node/index.js';

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
  terminalUser: DriverContext['driverUser'],
  rights: ExportRights,
): Promise<BuiltinService[]> {
  const twice = request.terminals.find((id, at) => request.terminals.indexOf(id) !== at);
  if (twice !== undefined)
    throw new FsError('EEXIST', `Two terminals are called ${JSON.stringify(twice)}.`, {
      hint: 'Give each --terminal-id an id of its own.',
    });
  const services = request.terminals.map((id) =>
    terminalService(id, { ...context, driverUser: terminalUser }),
  );
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
    for (const { as = null, map = null, ...one } of exports) {
      // Files outlive a user who was made up, so none of those owns any.
      const driverUser = typeof context.driverUser === 'function' ? null : context.driverUser;
      const squash = squashUserFor(one.name, as, driverUser);
      const userMap = map === null ? null : userMapFor(one.name, map, context.log);
      const kept = one.readOnly ? forbidden : [...forbidden, ...ownPrograms()];
      opened.push(await createExport({ ...one, squash, userMap, forbidden: kept, log: context.log }));
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

/** What built-in services show at their roots, by name. */
export function providersOf(builtins: readonly BuiltinService[]): Map<string, Provider> {
  const providers = new Map<string, Provider>();
  for (const { definition, provider } of builtins) {
    if (provider !== null)
      providers.set(provider.name, { serviceId: definition.serviceId, root: provider.tree.root });
  }
  return providers;
}
