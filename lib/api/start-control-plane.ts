import { join } from 'node:path';
import { silentLog, type Log } from '../core/index.js';
import { runPlane } from '../compose/index.js';
import type { StartedNode } from './start-node.js';

export interface ControlPlaneSetup {
  /** Where it keeps its state; on first start, `admin.token` and `user.token` are written there. */
  readonly stateDir: string;
  /** 0 picks a free one. */
  readonly port?: number;
  /** A node of this process, as its first member. */
  readonly node?: StartedNode;
  readonly log?: Log;
}

export interface StartedControlPlane {
  /** `ws://127.0.0.1:<port>` */
  readonly url: string;
  /** The file that holds an admin's token. */
  readonly adminTokenFile: string;
  close(): Promise<void>;
}

/**
 * Runs a control plane in this process, on loopback. Close it before the node that it has.
 * @throws FsError EBUSY where the state or the port is in use
 */
export async function startControlPlane(setup: ControlPlaneSetup): Promise<StartedControlPlane> {
  const { stateDir, port = 18_790, node, log = silentLog } = setup;
  const plane = await runPlane({ stateDir, port, log, ...(node === undefined ? {} : { local: node.node }) });
  return {
    url: plane.url,
    adminTokenFile: join(stateDir, 'admin.token'),
    close: () => plane.close(),
  };
}
