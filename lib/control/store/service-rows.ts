import type { Rows } from './rows.js';
import type { CatalogService } from './service-delta.js';

/** Rows that one statement writes: a node has many services, and they come at once. */
const ROWS_AT_ONCE = 64;

/** Writes services of a node in place of those that have their ids. `texts`: of their descriptors, by service. */
export function writeServiceRows(
  db: Rows,
  nodeId: string,
  written: readonly CatalogService[],
  texts: ReadonlyMap<string, string>,
): void {
  for (let at = 0; at < written.length; at += ROWS_AT_ONCE) {
    const rows = written.slice(at, at + ROWS_AT_ONCE);
    db.run(
      insertion(rows.length),
      nodeId,
      ...rows.flatMap(({ serviceId, version, hash }) => [
        serviceId,
        version,
        hash,
        texts.get(serviceId) as string,
      ]),
    );
  }
}

function insertion(rows: number): string {
  const values = Array.from({ length: rows }, () => '(?1,?,?,?,?)').join(',');
  return `INSERT OR REPLACE INTO services (node_id, service_id, version, hash, descriptor) VALUES ${values}`;
}
