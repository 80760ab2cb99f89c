import { type Command } from 'commander';
import { openLocalTree, openPlaneTree, type Tree } from '../client/index.js';
import { stateDirOption, stateFileOption } from './options.js';
import { addPlaneOptions, treeAddressFrom, type PlaneFlags } from './plane-options.js';

export type { Tree } from '../client/index.js';

export interface AccessFlags extends PlaneFlags {
  readonly stateDir: string;
  readonly stateFile?: string;
}

/** Without `--control-url` it is the tree of the node that runs on this machine. */
export function addAccessOptions(command: Command): Command {
  return addPlaneOptions(command).addOption(stateDirOption()).addOption(stateFileOption());
}

/** @throws FsError EHOSTDOWN when no node, or no control plane, runs there; EACCES for a bad token. */
export async function openTree(flags: AccessFlags): Promise<Tree> {
  const { controlUrl } = flags;
  return controlUrl === undefined
    ? openLocalTree(flags)
    : openPlaneTree(treeAddressFrom({ ...flags, controlUrl }));
}
