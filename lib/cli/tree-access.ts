import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Command } from 'commander';
import { FsError } from '../core/index.js';
import { requirePrivateDir } from '../disk/index.js';
import { localSession } from '../policy/index.js';
import { RemoteVfs, sendHello } from '../tunnel/index.js';
import { connectWs } from '../transport/index.js';
import type { SeenTree } from '../worldfs/index.js';
import { stateDirOption, stateFileOption } from './options.js';
import { addPlaneOptions, treeAddressFrom, type PlaneFlags } from './plane-options.js';
import { socketPath } from './socket-path.js';

export interface AccessFlags extends PlaneFlags {
  readonly stateDir: string;
  readonly stateFile?: string;
}

/** Without `--control-url` it is the tree of the node that runs on this machine. */
export function addAccessOptions(command: Command): Command {
  return addPlaneOptions(command).addOption(stateDirOption()).addOption(stateFileOption());
}

/** A tree that a command looks at. */
export interface Tree extends SeenTree {
  close(): Promise<void>;
}

/** @throws FsError EHOSTDOWN when no node, or no control plane, runs there; EACCES for a bad token. */
export async function openTree(flags: AccessFlags): Promise<Tree> {
  const { controlUrl } = flags;
  return controlUrl === undefined ? openLocalTree(flags) : openPlaneTree({ ...flags, controlUrl });
}

async function openPlaneTree(flags: AccessFlags & { controlUrl: string }): Promise<Tree> {
  const { RemoteTree } = await import('../compose/index.js');
  const tree = new RemoteTree(treeAddressFrom(flags));
  await tree.start();
  return treeOf(tree.vfs, () => tree.close());
}

async function openLocalTree({ stateDir, stateFile }: AccessFlags): Promise<Tree> {
  const path = socketPath(stateDir, stateFile);
  if (!existsSync(path)) throw notRunning(stateDir);
  requirePrivateDir(dirname(path), (name) => name === basename(path));
  const transport = await connectWs(`ws+unix:${path}:/v2/fs`, { maxMessageBytes: 16 * 1024 * 1024 }).catch(
    (thrown: unknown) => {
      if (FsError.from(thrown).code === 'EHOSTDOWN') throw notRunning(stateDir);
      throw thrown;
    },
  );
  const vfs = new RemoteVfs();
  vfs.attach(await sendHello(transport));
  return treeOf(vfs, () => vfs.close());
}

function treeOf(vfs: RemoteVfs, close: () => Promise<void>): Tree {
  const session = localSession('user', null, 'command');
  const never = new AbortController().signal;
  return { root: vfs.root, changes: vfs.changes, op: (signal = never) => ({ session, signal }), close };
}

function notRunning(stateDir: string): FsError {
  return new FsError('EHOSTDOWN', `No node is running with the state directory ${stateDir}.`, {
    hint: 'Start one: acheron up ./mnt --background. Or name the right one with --state-dir, or --state-file.',
  });
}
