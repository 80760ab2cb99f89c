/**
 * What speaks with a control plane from afar: the client of its control channel, and a node's link to it. A
 * part with an index of its own, since who asks a control plane needs not load one.
 */
export * from './audit-sender.js';
export * from './control-client.js';
export { ControlExchange, faultOf } from './control-exchange.js';
export { Subscription, type CatalogEvent, type SubscriptionOptions } from './subscription.js';
export * from './node-link.js';
export { NodeStateFile, type NodeState } from './node-state-file.js';
export type { PairMode } from './pair-node.js';
