import type { CatalogService, NodeRecord } from '../control/index.js';
import type { Change } from '../vfs/index.js';
import type { CatalogNodeDir } from './catalog-node.js';

type Services = NodeRecord['services'];

/** What in a node's directory is no longer as it was, once and with the scope that it has. */
export function changesOfCatalog(dir: CatalogNodeDir, before: Services, after: Services): Change[] {
  const isMoved = ['mounts', 'runtime'].some((field) => isOther(before, after, field));
  if (isMoved || dir.hasNestedRoots || isSeenByOthers(before, after)) return [{ what: 'tree', ino: dir.ino }];
  const changes: Change[] = [];
  for (const [serviceId, service] of after) {
    const ino = dir.services.inoOf(serviceId);
    if (ino !== undefined && !isSame(before.get(serviceId), service)) changes.push({ what: 'tree', ino });
  }
  return changes;
}

/** Whether services came, went, or are for other sessions than before. */
export function isSeenByOthers(before: Services, after: Services): boolean {
  return isOther(before, after, 'permissions');
}

function isOther(before: Services, after: Services, field: string): boolean {
  const ids = new Set([...before.keys(), ...after.keys()]);
  return [...ids].some((id) => textOf(before.get(id), field) !== textOf(after.get(id), field));
}

function textOf(service: CatalogService | undefined, field: string): string | undefined {
  return service === undefined ? undefined : JSON.stringify(service.descriptor[field] ?? null);
}

function isSame(before: CatalogService | undefined, after: CatalogService): boolean {
  return before !== undefined && JSON.stringify(before.descriptor) === JSON.stringify(after.descriptor);
}
