/**
 * A composition root: registry, drivers, services and providers put together as one running node.
 */
export * from './local-node.js';
export * from './driver-user.js';
