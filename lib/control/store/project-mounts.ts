import { FsError, idFrom } from '../../core/index.js';

/** A folder or service of a node, and where it stands in the tree of whoever mounts the project. */
export interface ProjectMount {
  readonly mountPath: string;
  readonly nodeId: string;
  readonly exportName: string;
}

/** What one project may mount. */
export const MAX_PROJECT_MOUNTS = 256;
const MAX_PATH_CHARS = 1024;

export function mountsFromText(text: string): ProjectMount[] {
  return JSON.parse(text) as ProjectMount[];
}

/** The same path without slashes that say nothing. @throws FsError EINVAL */
export function mountPathFrom(text: string): string {
  const parts = text.split('/').filter((part) => part !== '');
  // eslint-disable-next-line no-control-regex
  const isPlain = parts.every((part) => part !== '.' && part !== '..' && !/[\u0000-\u001f\u007f]/.test(part));
  if (!text.startsWith('/') || !isPlain || text.length > MAX_PATH_CHARS)
    throw new FsError('EINVAL', 'The mount path is not an absolute path.', {
      hint: 'It looks like /src, without "." and "..".',
    });
  return `/${parts.join('/')}`;
}

/**
 * With one more mount. Several nodes may stand at one path, in the order in which they are tried; no path lies within another.
 * @throws FsError EINVAL, EEXIST (it lies within another, or another within it)
 */
export function withMount(mounts: readonly ProjectMount[], added: ProjectMount): readonly ProjectMount[] {
  const mount = {
    mountPath: mountPathFrom(added.mountPath),
    nodeId: idFrom<string>(added.nodeId, 'The node id'),
    exportName: idFrom<string>(added.exportName, 'The export name'),
  };
  if (mounts.some((other) => isSame(other, mount))) return mounts;
  const within = mounts.find(({ mountPath }) => isNested(mountPath, mount.mountPath));
  if (within !== undefined)
    throw new FsError('EEXIST', `${mount.mountPath} and ${within.mountPath} lie within each other.`, {
      hint: 'Mount at a path beside it, or remove that mount first.',
    });
  if (mounts.length >= MAX_PROJECT_MOUNTS)
    throw new FsError('EINVAL', `A project may have ${MAX_PROJECT_MOUNTS} mounts.`, {
      hint: 'Remove one first.',
    });
  return [...mounts, mount];
}

/** Without those at this path: all, or the one of this node and export. @throws FsError ENOENT, EINVAL */
export function withoutMount(
  mounts: readonly ProjectMount[],
  {
    mountPath,
    nodeId,
    exportName,
  }: { mountPath: string; nodeId?: string | undefined; exportName?: string | undefined },
): readonly ProjectMount[] {
  const path = mountPathFrom(mountPath);
  const left = mounts.filter(
    (mount) =>
      mount.mountPath !== path ||
      mount.nodeId !== (nodeId ?? mount.nodeId) ||
      mount.exportName !== (exportName ?? mount.exportName),
  );
  if (left.length === mounts.length) throw new FsError('ENOENT', `Nothing like that is mounted at ${path}.`);
  return left;
}

const isSame = (one: ProjectMount, other: ProjectMount): boolean =>
  one.mountPath === other.mountPath && one.nodeId === other.nodeId && one.exportName === other.exportName;

function isNested(one: string, other: string): boolean {
  if (one === other) return false;
  return (
    one === '/' || other === '/' || `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`)
  );
}
