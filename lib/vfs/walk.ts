import { FsError } from '../core/index.js';
import type { Awaitable, DirNode, Node, Op } from './types.js';

/** The names of a slash-separated path; empty and `.` parts fall away, `..` goes up and never above the root. */
export function namesOfPath(path: string): string[] {
  const names: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') names.pop();
    else names.push(part);
  }
  return names;
}

/**
 * The node at `path` below `root`; symlinks on the way are not followed. Answers without a promise as
 * long as the tree does.
 * @throws FsError ENOENT, or ENOTDIR where a file stands in the way.
 */
export function walk(root: DirNode, path: string, op: Op): Awaitable<Node> {
  return walkNames(root, namesOfPath(path), 0, op);
}

function walkNames(start: Node, names: readonly string[], from: number, op: Op): Awaitable<Node> {
  let node = start;
  for (let i = from, name = names[i]; name !== undefined; name = names[++i]) {
    if (node.kind !== 'dir')
      throw new FsError('ENOTDIR', `${JSON.stringify(names[i - 1] ?? '/')} is not a directory.`);
    const found: Awaitable<Node> = node.lookup(name, op);
    if (found instanceof Promise) return found.then((next) => walkNames(next, names, i + 1, op));
    node = found;
  }
  return node;
}
