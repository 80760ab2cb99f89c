import { type Command } from 'commander';
import { openLocalTree, openPlaneTree, type Tree } from '../client/index.js';
import { stateDirOption, stateFileOption } from './options.js';
import { addPlaneOptions, treeAddressFrom, type PlaneFlags } from './plane-options.js';

export type { Tree } from '../client/index.js';

/** Which node of this machine is meant. */
export interface LocalFlags {
  readonly stateDir: string;
  readonly stateFile?: string;
}

export interface AccessFlags extends PlaneFlags, LocalFlags {}

/** The tree is that of the node that runs on this machine. */
export function addLocalOptions(command: Command): Command {
  return command.addOption(stateDirOption()).addOption(stateFileOption());
}

/** Without `--control-url` it is the tree of the node that runs on this machine. */
export function addAccessOptions(command: Command): Command {
  return addLocalOptions(addPlaneOptions(command));
}

/** @throws FsError EHOSTDOWN when no node, or no control plane, runs there; EACCES for a bad token. */
export async function openTree(flags: AccessFlags): Promise<Tree> {
  const { controlUrl } = flags;
  return controlUrl === undefined
    ? openLocalTree(flags)
    : openPlaneTree(treeAddressFrom({ ...flags, controlUrl }));
}
