/**
 * What speaks with a control plane from afar: the client of its control channel, and a node's link to it. A
 * part with an index of its own, so that its users need not load a control plane.
 */
export * from './audit-sender.js';
export * from './control-client.js';
export { faultOf } from './control-exchange.js';
export type { CatalogEvent, Subscription, SubscriptionOptions } from './subscription.js';
export * from './node-link.js';
export { NODE_FORMAT, type NodeState } from './node-state-file.js';
export type { PairMode } from './pair-node.js';
export { consoleAddress } from './console-address.js';
export { probeAddress, type AddressProbe } from './probe-address.js';
export type { ReloadReportSource, SentReport } from './report-sender.js';
