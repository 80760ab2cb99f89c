import { posix } from 'node:path';
import { ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import type { MountDefinition } from './definition.js';
import type { PathStep, Problems } from './fault.js';

/** What stands directly under `/nodes/<node_id>/` and is the node's own: no derived root may be there. */
export const NODE_NAMES: ReadonlySet<string> = new Set([
  'README.md',
  'NODE.json',
  'STATUS.json',
  'CAPS.json',
  'services',
  'fs',
  'terminal',
]);

/** What a service directory holds of its own: no nested root may hide it. `schema.json` and `template.json` are unlisted. */
export const SERVICE_NAMES: ReadonlySet<string> = new Set([
  'README.md',
  'SCHEMA.json',
  'TEMPLATE.json',
  'HOST.json',
  'SERVICE.json',
  'CAPS.json',
  'MOUNTS.json',
  'OPS.json',
  'RUNTIME.json',
  'PERMISSIONS.json',
  'schema.json',
  'template.json',
  'status.json',
  'result.json',
  'last_error.txt',
  'metrics.json',
  'health.json',
  'config.json',
  'calls',
  'control',
  'jobs',
]);

const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 4096;
const UNPRINTABLE = /[\p{Cc}\p{Surrogate}]/u;

/** The normalized path of a derived root or endpoint, or why it cannot be one. */
export function rootFromPath(
  path: string,
  nodeId: string,
  reserved: ReadonlySet<string> = NODE_NAMES,
): { root: string } | { message: string; hint: string } {
  const top = `/nodes/${nodeId}/`;
  const inside = `Choose a path like ${top}my-service.`;
  if (UNPRINTABLE.test(path))
    return { message: 'holds a character that no file name should have', hint: inside };
  const root = posix.normalize(path).replace(/\/+$/, '');
  if (!path.startsWith('/') || !root.startsWith(top)) return { message: `is not under ${top}`, hint: inside };
  const names = root.slice(top.length).split('/');
  const [first = ''] = names;
  if (reserved.has(first))
    return { message: `is on ${JSON.stringify(first)}, which belongs to the node`, hint: inside };
  if (
    Buffer.byteLength(root) > MAX_PATH_BYTES ||
    names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES)
  )
    return { message: 'is too long', hint: `A name may have ${MAX_NAME_BYTES} bytes.` };
  return { root };
}

/** The mounts of a checked manifest, with defaults; what is wrong with them goes to `problems`. */
export function mountsFrom(
  manifest: JsonObject,
  facts: { serviceId: string; nodeId: string; state: string; reserved?: ReadonlySet<string> },
  problems: Problems,
): MountDefinition[] {
  const written = ownValue(manifest, 'mounts');
  const list = (written ?? [{ mount_path: `/nodes/${facts.nodeId}/${facts.serviceId}` }]) as JsonObject[];
  const ids = new Set<string>();
  const roots = new Map<string, number>();
  return list.flatMap((mount, index) => {
    const at = (name: string): PathStep[] =>
      written === undefined ? ['service_id'] : ['mounts', index, name];
    const fallbackId = index === 0 ? facts.serviceId : `${facts.serviceId}-${index + 1}`;
    const mountId = (ownValue(mount, 'mount_id') ?? fallbackId) as string;
    if (ids.has(mountId))
      problems.fault({
        path: at('mount_id'),
        message: `The mount_id ${JSON.stringify(mountId)} is used twice.`,
        expected: 'a mount_id of its own for each mount',
        got: JSON.stringify(mountId),
      });
    ids.add(mountId);
    const root = checkedRoot(ownValue(mount, 'mount_path') as string, at('mount_path'), facts, problems);
    if (root === undefined) return [];
    const twin = roots.get(root);
    if (twin !== undefined) {
      problems.fault({
        path: at('mount_path'),
        message: `${root} is mounted twice.`,
        expected: 'a path of its own for each mount',
        got: `the path of mount ${twin + 1}`,
        hint: 'Remove one of the two.',
      });
      return [];
    }
    roots.set(root, index);
    return [{ mountId, mountPath: root, state: (ownValue(mount, 'state') ?? facts.state) as string }];
  });
}

export function endpointsFrom(
  manifest: JsonObject,
  mounts: readonly MountDefinition[],
  facts: { nodeId: string; reserved?: ReadonlySet<string> },
  problems: Problems,
): string[] {
  const written = ownValue(manifest, 'endpoints') as JsonValue[] | undefined;
  if (written === undefined) return mounts.map((mount) => mount.mountPath);
  return written.flatMap(
    (path, index) => checkedRoot(path as string, ['endpoints', index], facts, problems) ?? [],
  );
}

function checkedRoot(
  path: string,
  at: readonly PathStep[],
  facts: { nodeId: string; reserved?: ReadonlySet<string> },
  problems: Problems,
): string | undefined {
  const found = rootFromPath(path, facts.nodeId, facts.reserved);
  if ('root' in found) return found.root;
  problems.fault({
    path: at,
    message: `${JSON.stringify(path)} ${found.message}.`,
    expected: `a path under /nodes/${facts.nodeId}/ that is not the node's own`,
    got: JSON.stringify(path),
    hint: found.hint,
  });
  return undefined;
}

/** The paths that `mounts` would put over a service's own files, or over each other, among all `roots`. */
export interface RootClaim<Owner = string> {
  readonly path: string;
  readonly owner: Owner;
}

/** Why a root cannot stand beside the others; see `findRootConflicts`. */
export interface RootConflict<Owner = string> {
  readonly first: RootClaim<Owner>;
  readonly second: RootClaim<Owner>;
  readonly message: string;
}

/**
 * Pairs of roots that cannot both be: equal ones, and one inside another at (or under) a name that the
 * outer service directory needs for itself. `claims` of one owner may conflict too.
 */
export function findRootConflicts<Owner>(claims: readonly RootClaim<Owner>[]): RootConflict<Owner>[] {
  const conflicts: RootConflict<Owner>[] = [];
  const byPath = new Map<string, RootClaim<Owner>>();
  for (const claim of claims) {
    const first = byPath.get(claim.path);
    if (first === undefined) byPath.set(claim.path, claim);
    else conflicts.push({ first, second: claim, message: `${claim.path} is taken` });
  }
  for (const claim of byPath.values()) {
    for (let end = claim.path.lastIndexOf('/'); end > 0; end = claim.path.lastIndexOf('/', end - 1)) {
      const outer = byPath.get(claim.path.slice(0, end));
      if (outer === undefined) continue;
      const [name = ''] = claim.path.slice(end + 1).split('/', 1);
      if (SERVICE_NAMES.has(name))
        conflicts.push({
          first: outer,
          second: claim,
          message: `${claim.path} would hide ${JSON.stringify(name)} of the service at ${outer.path}`,
        });
    }
  }
  return conflicts;
}
