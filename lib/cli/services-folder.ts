import { realpathSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { openLocalTree, type Tree } from '../client/index.js';
import { FsError } from '../core/index.js';
import { runningServices, type ReloadedNode } from './running-services.js';
import type { LocalFlags } from './tree-access.js';
import { PACKAGE_DIR } from './version.js';

/** The node that runs here, and its tree; null where none does. */
export interface RunningHere {
  readonly tree: Tree;
  readonly node: ReloadedNode;
}

/**
 * Runs `work` with the node that runs here, if there is one. A control plane is not asked: the folders of its nodes are on
 * other machines.
 */
export async function withRunningNode<Result>(
  flags: LocalFlags,
  work: (running: RunningHere | null) => Promise<Result>,
): Promise<Result> {
  let tree: Tree;
  try {
    tree = await openLocalTree(flags);
  } catch (thrown) {
    if (FsError.from(thrown).code === 'EHOSTDOWN') return work(null);
    throw thrown;
  }
  try {
    return await work({ tree, node: await runningServices(tree, undefined) });
  } finally {
    await tree.close();
  }
}

/**
 * Where manifests are, or go: where the user says, else the folder that the running node follows.
 * @throws FsError EINVAL where neither is known
 */
export function servicesFolder(said: string | undefined, running: RunningHere | null): string {
  if (said !== undefined) return resolve(said);
  const own = (running?.node.servicesDirs ?? []).filter((dir) => !isBundled(dir));
  const [folder] = own;
  if (folder !== undefined && own.length === 1) return folder;
  throw new FsError(
    'EINVAL',
    running === null
      ? 'No node is running here that could say where its manifests are.'
      : folder === undefined
        ? 'The node that runs here follows no folder of services.'
        : `The node that runs here follows several folders: ${own.join(', ')}.`,
    {
      hint:
        folder === undefined
          ? 'Name their folder with --services-dir. This starts a node that follows one: mkdir -p services; acheron up ./mnt --services-dir ./services'
          : 'Name one of them with --services-dir.',
    },
  );
}

/** Whether a folder, or a file, is part of the program. */
export function isBundled(path: string): boolean {
  return `${real(path)}${sep}`.startsWith(`${real(PACKAGE_DIR)}${sep}manifests${sep}`);
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // It may be gone already.
    return resolve(path);
  }
}
