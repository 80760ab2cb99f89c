import { FsError, isJsonObject, ownValue, type JsonObject } from '../core/index.js';
import { findService, readText } from '../worldfs/index.js';
import type { Tree } from './tree-access.js';

/** A line of a service's `HISTORY.ndjson`. */
export interface HistoryLine {
  /** The number of its files. */
  readonly n: number;
  readonly document: JsonObject;
}

/** What a service was, as the tree shows it. */
export interface ServiceVersions {
  /** Its directory. */
  readonly path: string;
  /** Oldest first. */
  readonly lines: readonly HistoryLine[];
}

/** @throws FsError ENOENT where there is no such service, EPROTO for what is no history */
export async function versionsOf(tree: Tree, service: string): Promise<ServiceVersions> {
  const path = await findService(tree.root, service, tree.op());
  const text = await readText(tree, `${path}/HISTORY.ndjson`);
  return {
    path,
    lines: text
      .split('\n')
      .filter((line) => line !== '')
      .map(lineFrom),
  };
}

/** The descriptor after a change; null where the service was gone. */
export async function descriptorAt(
  tree: Tree,
  { path }: ServiceVersions,
  line: HistoryLine,
): Promise<JsonObject | null> {
  if (isRemoval(line)) return null;
  return JSON.parse(await readText(tree, `${path}/history/${line.n}.json`)) as JsonObject;
}

export const isRemoval = ({ document }: HistoryLine): boolean => ownValue(document, 'change') === 'removed';

function lineFrom(text: string): HistoryLine {
  const document: unknown = JSON.parse(text);
  const n = isJsonObject(document)
    ? (ownValue(document, 'revision') ?? ownValue(document, 'seq'))
    : undefined;
  if (typeof n !== 'number' || !isJsonObject(document))
    throw new FsError('EPROTO', 'The history has a line without a number.');
  return { n, document };
}
