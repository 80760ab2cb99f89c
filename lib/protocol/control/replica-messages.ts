import * as z from 'zod';
import { message, wireMs } from './shapes.js';

const replica = z.object({
  replica: z.string(),
  /** Where the others reach it. */
  address: z.string(),
  version: z.string(),
  applied_seq: z.int(),
  /** Entries of the log that it lacked when it renewed its lease last. */
  lag: z.int(),
  /** How long it may serve without hearing of the store, as of then. */
  lease_left_ms: z.number(),
  /** Nodes that are connected to it. */
  nodes: z.int(),
  started_at_ms: wireMs,
});

export const REPLICA_MESSAGES = {
  replica_list: message(
    'admin',
    'the control planes over one store, as this one knows them: where the log stands, how far each is; one with a database of its own has no replicas',
    () => z.object({}),
    () =>
      z.object({
        /** `sqlite`, or where the log is. */
        engine: z.string(),
        /** The one that answers. */
        replica: z.string().nullable(),
        /** The host of the store that it is connected to. */
        host: z.string().nullable(),
        applied_seq: z.int(),
        /** Entries that it knows of and has not applied. */
        lag: z.int(),
        /** How long it may serve without hearing of the store. */
        lease_left_ms: z.number(),
        replicas: z.array(replica),
      }),
  ),
};
