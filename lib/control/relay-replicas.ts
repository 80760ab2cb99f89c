import type { Unsubscribe } from '../core/index.js';
import type { Transport } from '../transport/index.js';
import type { RelayCounts } from './relay-counts.js';

/** Another replica, as far as it is called. */
export interface RelayPeer {
  readonly id: string;
  /** `ws://` or `wss://`, without a path. */
  readonly address: string;
}

/** What relaying needs to know of the replicas of a control plane. */
export interface RelayReplicas {
  readonly membership: {
    readonly selfId: string;
    member(id: string): RelayPeer | undefined;
    isServing(): boolean;
    readonly changed: { on(listener: () => void): Unsubscribe };
    readonly servingChanged: { on(listener: (isServing: boolean) => void): Unsubscribe };
  };
  /** The other live replica that has the node's connection. */
  holderOf(nodeId: string): RelayPeer | undefined;
  /** As it may be another one of which nothing is known here yet: answers whether it is there. Undefined where that is not so. */
  findHolder(nodeId: string): Promise<boolean> | undefined;
  /** The same at all replicas, and nowhere else. */
  readonly relayKey: Uint8Array;
  readonly relayCounts: RelayCounts;
}

/** A replica that has called, and proved that it is one. */
export interface RelayConnection {
  readonly transport: Transport;
  readonly replicaId: string;
}
