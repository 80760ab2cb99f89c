/**
 * What other programs use: start a node or a control plane, connect to one, mount what it shows. Everything
 * else of the library may change at any time; these names follow semver.
 */
export { Client, type CallOptions, type InvokeOptions } from './client.js';
export { connect } from './connect.js';
export { mount, type MountOptions } from './mount.js';
export {
  startControlPlane,
  type ControlPlaneSetup,
  type StartedControlPlane,
} from './start-control-plane.js';
export { startNode, type NodeOptions, type StartedNode } from './start-node.js';
