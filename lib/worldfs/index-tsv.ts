import type { JsonObject } from '../core/index.js';

/** What `INDEX.tsv` needs of an entry of `SERVICES.json`. */
export interface IndexedService extends JsonObject {
  readonly service_id: string;
  readonly service_path: string;
  readonly invoke_path: string | null;
  readonly summary: string;
}

/**
 * `/nodes/INDEX.tsv`: a line for each service: its id, the first sentence of its help, and the path to write a
 * request to, from `nodes/` on; empty for a service that cannot be invoked.
 */
export function indexTsv(services: readonly IndexedService[]): Buffer {
  const lines = services.map(({ service_id: id, summary, invoke_path: path }) =>
    [id, summary.replace(/\s+/g, ' '), path?.replace(/^\/nodes\//, '') ?? ''].join('\t'),
  );
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}
