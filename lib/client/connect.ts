import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { TreeAddress } from '../compose/index.js';
import { FsError } from '../core/index.js';
import { requirePrivateDir, socketPath } from '../disk/index.js';
import { localSession } from '../policy/index.js';
import { connectWs } from '../transport/index.js';
import { RemoteVfs, sendHello } from '../tunnel/index.js';
import { treeOf, type Tree } from './tree.js';

/** The node that runs with a state directory on this machine. */
export interface LocalAddress {
  readonly stateDir: string;
  /** Where the node's state is not `node.json` of that directory. */
  readonly stateFile?: string | undefined;
}

/** A directory where a tree is mounted. */
export interface MountAddress {
  readonly mount: string;
}

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/**
 * A node of this machine is waited for four times as long as one of another: where it has ended its socket says so at once, and
 * where it is silent it is busy, on a machine that is.
 */
const LOCAL_LOOK_MS = 1_000;

/** What the far side shows follows from the token or the socket, whatever is said here. */
const SESSION = localSession('user', null, 'client');

/** @throws FsError EACCES for a token that is not good, ENOENT for the project, EHOSTDOWN */
export async function openPlaneTree(address: TreeAddress): Promise<Tree> {
  const { RemoteTree } = await import('../compose/index.js');
  const tree = new RemoteTree(address);
  try {
    await tree.start();
  } catch (thrown) {
    await tree.close();
    throw thrown;
  }
  return treeOf(tree.vfs, SESSION, { comesBack: true, close: () => tree.close() });
}

/** @throws FsError EHOSTDOWN when no node runs there; EACCES where others could have made the socket */
export async function openLocalTree({ stateDir, stateFile }: LocalAddress): Promise<Tree> {
  const path = socketPath(stateDir, stateFile);
  if (!existsSync(path)) throw notRunning(stateDir);
  requirePrivateDir(dirname(path), (name) => name === basename(path));
  const transport = await connectWs(`ws+unix:${path}:/v2/fs`, { maxMessageBytes: MAX_MESSAGE_BYTES }).catch(
    (thrown: unknown) => {
      if (FsError.from(thrown).code === 'EHOSTDOWN') throw notRunning(stateDir);
      throw thrown;
    },
  );
  const vfs = new RemoteVfs({ lookMs: LOCAL_LOOK_MS });
  vfs.attach(await sendHello(transport));
  return treeOf(vfs, SESSION, { close: () => vfs.close() });
}

/** @throws FsError EINVAL for a directory where no tree is mounted, EHOSTDOWN where its server is gone */
export async function openMountedTree({ mount }: MountAddress): Promise<Tree> {
  const { MountedTree } = await import('./mounted/mounted-tree.js');
  const vfs = await MountedTree.open(mount);
  return treeOf(vfs, SESSION, { comesBack: true, cancelsByKey: true, close: () => vfs.close() });
}

function notRunning(stateDir: string): FsError {
  return new FsError('EHOSTDOWN', `No node is running with the state directory ${stateDir}.`, {
    hint: 'Start one: acheron up ./mnt --background. Or name the right one with --state-dir, or --state-file.',
  });
}
