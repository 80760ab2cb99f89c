/**
 * What other programs use: start a node or a control plane, connect to one, mount what it shows. Everything
 * else of the library may change at any time; these names follow semver.
 */
export {
  Client,
  Job,
  type CallOptions,
  type DescribedService,
  type EventsOptions,
  type FileStat,
  type InputOf,
  type InvokeOptions,
  type JobEvent,
  type JobStatus,
  type OutputOf,
  type Services,
  type TreeEvent,
  type WaitOptions,
  type WriteOptions,
} from '../client/index.js';
export { connect, type LocalAddress, type MountAddress, type PlaneAddress } from './connect.js';
export { mount, type MountOptions } from './mount.js';
export {
  startControlPlane,
  type ControlPlaneSetup,
  type StartedControlPlane,
} from './start-control-plane.js';
export { startNode, type NodeOptions, type StartedNode } from './start-node.js';
export type { ShownProgress as JobProgress } from '../worldfs/index.js';
