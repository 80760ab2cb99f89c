/**
 * Several replicas of one control plane: the log of all changes in the order that all agree on, and who takes part. The log is
 * in PostgreSQL, or, for one machine, in a file of SQLite. What stands in its entries this room does not know.
 */
export type {
  AppendOptions,
  LogEntry,
  MemberFacts,
  MemberState,
  NewEntry,
  Position,
  Renewal,
  Renewing,
  ReplicatedLog,
  Snapshot,
  Turn,
} from './log.js';
export { Membership, type Member } from './membership.js';
export type { Lineage, LineageMemory } from './lineage.js';
export { PostgresLog } from './postgres-log.js';
export { EmbeddedLog } from './embedded-log.js';
export { within } from './within.js';
export { storeAddressFrom, storeName, type StoreAddress } from './store-address.js';
