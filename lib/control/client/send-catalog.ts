import type { JsonObject } from '../../core/index.js';
import { FsError } from '../../core/index.js';
import {
  MAX_CATALOG_CHARS,
  MAX_CONTROL_FRAME_MARKS,
  MAX_SERVICES,
  hasMoreMarks,
  type ControlReply,
  type ControlRequest,
} from '../../protocol/index.js';
import type { ControlClient } from './control-client.js';

/** Characters of JSON that go into one message: as UTF-8, with every quote escaped, they are less than a frame. */
const PART_CHARS = 256 * 1024;

/** What a node offers, and how it fared with its manifests. */
export interface Catalog {
  readonly services: readonly JsonObject[];
  readonly reload?: JsonObject | null;
}

/**
 * Sends all that a node offers: in one message where that fits, else in parts. The control plane takes it as one
 * change either way.
 * @throws FsError E2BIG for more than it takes, and as `request` does
 */
export async function sendCatalog(
  client: ControlClient,
  node: Omit<ControlRequest<'node_service_upsert'>, 'services' | 'reload' | 'parts'>,
  catalog: Catalog,
): Promise<ControlReply<'node_service_upsert'>> {
  const { services, reload } = catalog;
  if (services.length > MAX_SERVICES)
    throw tooLarge(`has ${services.length} services; a control plane takes ${MAX_SERVICES}`);
  const text = JSON.stringify({ services, ...(reload === undefined ? {} : { reload }) });
  if (text.length <= PART_CHARS && !hasMoreMarks(text, MAX_CONTROL_FRAME_MARKS / 2))
    return client.request('node_service_upsert', {
      ...node,
      services: [...services],
      ...(reload === undefined ? {} : { reload }),
    });
  if (text.length > MAX_CATALOG_CHARS)
    throw tooLarge(`is ${text.length} characters of JSON; a control plane takes ${MAX_CATALOG_CHARS}`);
  const { node_id, node_secret, epoch } = node;
  let parts = 0;
  for (let from = 0; from < text.length; from += PART_CHARS)
    await client.request('node_catalog_part', {
      ...{ node_id, node_secret, epoch },
      ...{ part: parts++, text: text.slice(from, from + PART_CHARS) },
    });
  return client.request('node_service_upsert', { ...node, parts });
}

function tooLarge(what: string): FsError {
  return new FsError('E2BIG', `The catalog of this node ${what}.`, {
    hint: 'Run the services as several nodes.',
  });
}
