import { createHash } from 'node:crypto';
import { isId } from '../../core/index.js';

const HASH_CHARACTERS = 8;
const MAX_ID = 128;

/**
 * The id of a service for what an MCP server calls `name`: `<server>.<name>`. A name that no id may have, or that is
 * taken, gets characters that one may have and a hash of what it was, so that it is the same whatever else there is.
 */
export function offeredId(serverId: string, name: string, taken: ReadonlySet<string>): string {
  const id = `${serverId}.${name}`;
  if (isId(id) && !taken.has(id)) return id;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_CHARACTERS);
  const plain = id.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, MAX_ID - HASH_CHARACTERS - 1);
  return `${plain}-${hash}`;
}
