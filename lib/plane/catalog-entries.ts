import type { ControlStore, NodeRecord } from '../control/index.js';
import { summaryFromHelp, type JsonObject } from '../core/index.js';
import type { Session } from '../policy/index.js';
import type { IndexedService } from '../worldfs/index.js';

const summaries = new WeakMap<JsonObject, string>();

/** The entries of a node's SERVICES.json that a session may see, as the catalog knows them. */
export function catalogEntries(
  store: ControlStore,
  record: NodeRecord,
  session: Session,
  isHere: boolean,
): IndexedService[] {
  return store.access.visibleServices(session, record).map(({ serviceId, descriptor }) => {
    const path = `/nodes/${record.nodeId}/services/${serviceId}`;
    const hasInvoke = isInvocable(descriptor);
    return {
      node_id: record.nodeId,
      service_id: serviceId,
      service_path: path,
      invoke_path: hasInvoke ? `${path}/control/invoke.json` : null,
      has_invoke: hasInvoke,
      scope: 'node',
      kind: descriptor.kind ?? null,
      state: isHere ? (descriptor.state ?? 'online') : 'offline',
      summary: summaryOf(descriptor),
    };
  });
}

/** Whether its node has something to run for it: those without have no `control/`. */
function isInvocable({ runtime, capabilities }: JsonObject): boolean {
  const { type, executable_path: program, module_path: module } = (runtime ?? {}) as JsonObject;
  if (type === 'builtin') return (capabilities as JsonObject | null)?.invoke !== false;
  return type === 'native_proc' ? program != null : (type === 'module' || type === 'wasm') && module != null;
}

/** Reckoned once for each descriptor. */
function summaryOf(descriptor: JsonObject): string {
  let summary = summaries.get(descriptor);
  if (summary === undefined) {
    const help = descriptor.help_md;
    summaries.set(descriptor, (summary = summaryFromHelp(typeof help === 'string' ? help : '')));
  }
  return summary;
}
