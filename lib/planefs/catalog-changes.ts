import type { CatalogService, NodeRecord } from '../control/index.js';
import type { Change } from '../vfs/index.js';
import type { CatalogNodeDir } from './catalog-node.js';

type Services = NodeRecord['services'];

/** What in a node's directory is no longer as it was, once and with the scope that it has. */
export function changesOfCatalog(dir: CatalogNodeDir, before: Services, after: Services): Change[] {
  const changed = idsOfChanged(before, after);
  const isOther = (...fields: string[]): boolean => isAnyOther(changed, before, after, fields);
  if (dir.hasNestedRoots || isOther('mounts', 'runtime', 'permissions'))
    return [{ what: 'tree', ino: dir.ino }];
  const changes: Change[] = [];
  for (const [serviceId, service] of after) {
    const ino = dir.services.inoOf(serviceId);
    if (ino !== undefined && !isSame(before.get(serviceId), service)) changes.push({ what: 'tree', ino });
  }
  return changes;
}

/** Whether services came, went, or are for other sessions than before. */
export function isSeenByOthers(before: Services, after: Services): boolean {
  return isAnyOther(idsOfChanged(before, after), before, after, ['permissions']);
}

/** Services that came, went, or say something else of themselves: all else has the same hash. */
function idsOfChanged(before: Services, after: Services): string[] {
  const ids = new Set([...before.keys(), ...after.keys()]);
  return [...ids].filter((id) => before.get(id)?.hash !== after.get(id)?.hash);
}

function isAnyOther(ids: readonly string[], before: Services, after: Services, fields: string[]): boolean {
  return ids.some((id) =>
    fields.some((field) => textOf(before.get(id), field) !== textOf(after.get(id), field)),
  );
}

function textOf(service: CatalogService | undefined, field: string): string | undefined {
  return service === undefined ? undefined : JSON.stringify(service.descriptor[field] ?? null);
}

function isSame(before: CatalogService | undefined, after: CatalogService): boolean {
  return before !== undefined && JSON.stringify(before.descriptor) === JSON.stringify(after.descriptor);
}
