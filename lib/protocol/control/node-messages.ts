import * as z from 'zod';
import { leaseTtl } from './pairing-messages.js';
import {
  message,
  page,
  pageRequest,
  wireId,
  wireJsonObject,
  wireLabels,
  wireMs,
  wirePlatform,
  wireRevision,
  wireSecret,
  wireText,
} from './shapes.js';

/** Most services that one node may offer. */
export const MAX_SERVICES = 10_000;
/** The most JSON that a node may say of its services, in all parts. */
export const MAX_CATALOG_CHARS = 16 * 1024 * 1024;
/** Most entries of each list in one `service_delta`. */
export const MAX_DELTA_ENTRIES = 1000;

export const serviceSummary = z.object({
  node_id: z.string(),
  service_id: z.string(),
  service_path: z.string(),
  invoke_path: z.string().nullable(),
  has_invoke: z.boolean(),
  scope: z.string(),
  kind: z.string(),
  state: z.string(),
  summary: z.string(),
});

export const nodeStatus = z.object({
  node_id: z.string(),
  node_name: z.string(),
  state: z.enum(['online', 'offline']),
  platform: z.unknown(),
  labels: z.unknown(),
  fs_url: z.string().nullable(),
  services: z.int(),
  revision: wireRevision.optional(),
  epoch: z.int().optional(),
  lease_expires_at_ms: wireMs.nullable().optional(),
  joined_at_ms: wireMs,
  last_seen_ms: wireMs,
});

/** A service as a list of all of them shows it. */
export const serviceLine = z.object({
  node_id: z.string(),
  service_id: z.string(),
  kind: z.string(),
  state: z.string(),
  has_invoke: z.boolean(),
  summary: z.string(),
  labels: z.unknown().optional(),
});

/** Most services on one page of a list of all nodes'. */
const MAX_LINES = 5000;

export const deltaEntry = z.object({
  service_id: z.string(),
  version: z.string().nullable(),
  hash: z.string().nullable(),
  previous_version: z.string().nullable(),
  previous_hash: z.string().nullable(),
});

export const serviceDelta = z.object({
  changed: z.boolean(),
  revision: wireRevision,
  timestamp_ms: wireMs,
  added: z.array(deltaEntry),
  updated: z.array(deltaEntry),
  removed: z.array(deltaEntry),
  /** In the reply to an upsert: how many entries are left out of the lists, as too many; events have them all. */
  more: z.int().optional(),
});

/** What a node offers. */
const catalog = {
  services: z.array(wireJsonObject).max(MAX_SERVICES),
  reload: wireJsonObject.nullable().optional(),
};
export const catalogText = z.object(catalog);
export type CatalogText = z.infer<typeof catalogText>;

const epoch = z.int().min(0).optional();
const ofNode = z.object({ node_id: wireId });

const catalogPart = ofNode.extend({
  node_secret: wireSecret,
  epoch,
  part: z.int().min(0),
  text: z.string().min(1),
});
export type CatalogPart = z.infer<typeof catalogPart>;

export const nodeEvent = z.object({
  /** Admins: the global revision. Users: the revision of what they may see. Neither has gaps. */
  revision: wireRevision,
  /** Counts the events of this watch, across reconnects by cursor. */
  seq: z.int(),
  cursor: z.string(),
  timestamp_ms: wireMs,
  kind: z.string(),
  node_id: z.string().nullable(),
  service_delta: serviceDelta.optional(),
  details: z.unknown().optional(),
});

export const NODE_MESSAGES = {
  node_lease_refresh: message(
    'node',
    'the node is alive; its lease runs on from now. Who proves itself by its secret, and holds no epoch, is given a new lease token',
    () =>
      ofNode.extend({
        lease_token: wireSecret.optional(),
        node_secret: wireSecret.optional(),
        lease_ttl_ms: leaseTtl.optional(),
        fs_url: wireText.nullable().optional(),
        epoch,
      }),
    () =>
      z.object({
        node_id: z.string(),
        node_name: z.string().optional(),
        fs_url: z.string().nullable().optional(),
        platform: z.unknown().optional(),
        lease_token: wireSecret.optional(),
        lease_expires_at_ms: wireMs,
        epoch: z.int(),
      }),
  ),
  node_list: message(
    'session',
    'the nodes that you may see, in pages',
    () => pageRequest,
    () => page.extend({ nodes: z.array(nodeStatus) }),
  ),
  node_get: message(
    'session',
    'one node',
    () => ofNode,
    () => nodeStatus,
  ),
  node_delete: message(
    'node',
    'forgets a node, its services and its secrets, and cuts its tunnel; an admin needs no secret',
    () => ofNode.extend({ node_secret: wireSecret.optional() }),
    () => z.object({ node_id: z.string(), deleted: z.boolean() }),
  ),
  node_service_upsert: message(
    'node',
    "replaces the node's services with this snapshot: `services`, or what the `parts` said that came before; either way it is one change. Without either, they stay as they are. Without an epoch, the answer says what the node offers from then on",
    () =>
      ofNode.extend({
        node_secret: wireSecret,
        epoch,
        platform: wirePlatform.optional(),
        labels: wireLabels.optional(),
        services: catalog.services.optional(),
        reload: catalog.reload,
        parts: z.int().min(1).optional(),
      }),
    () =>
      z.object({
        node_id: z.string(),
        epoch: z.int(),
        service_delta: serviceDelta,
        node_name: z.string().optional(),
        platform: z.unknown().optional(),
        labels: z.unknown().optional(),
        services: z.array(wireJsonObject).optional(),
        next: z.string().optional(),
      }),
  ),
  node_catalog_part: message(
    'node',
    'a piece of the JSON text of `{services, reload}`, where that is more than a frame; `part` counts from 0, and nothing changes before `node_service_upsert` with `parts`',
    () => catalogPart,
    () => z.object({ node_id: z.string(), epoch: z.int(), part: z.int() }),
  ),
  node_service_get: message(
    'session',
    'the services of a node that you may see, or one of them, with whole descriptors, in pages',
    () => ofNode.extend({ service_id: wireId.optional(), ...pageRequest.shape }),
    () =>
      page.extend({
        node_id: z.string(),
        node_name: z.string().optional(),
        platform: z.unknown().optional(),
        labels: z.unknown().optional(),
        revision: wireRevision.optional(),
        services: z.array(wireJsonObject),
        index: z.array(serviceSummary),
      }),
  ),
  service_list: message(
    'session',
    'the services of all nodes that you may see, or of some, a line each, in the order of node and service; of a page, `next` is the `after` of the one that follows',
    () =>
      z.object({
        node_ids: z.array(wireId).max(1000).optional(),
        limit: z.int().min(1).max(MAX_LINES).optional(),
        after: wireText.optional(),
      }),
    () => page.extend({ services: z.array(serviceLine) }),
  ),
  node_service_watch: message(
    'session',
    'events from a revision (or, with `cursor`, from where a watch ended) on; `node_service_event`s follow the reply',
    () =>
      z.object({
        watch_id: wireId.optional(),
        node_id: wireId.optional(),
        since_revision: wireRevision.optional(),
        cursor: z.string().max(512).optional(),
        replay_limit: z.int().min(0).max(10_000).optional(),
      }),
    () =>
      z.object({
        watch_id: z.string(),
        revision: wireRevision,
        cursor: z.string(),
        enabled: z.boolean().optional(),
        /** How many of the events that follow happened before. */
        replayed: z.int().optional(),
      }),
  ),
  node_service_unwatch: message(
    'session',
    'ends a watch, or all of this connection',
    () => z.object({ watch_id: wireId.optional() }),
    () => z.object({ ended: z.int(), enabled: z.boolean().optional() }),
  ),
  audit_append: message(
    'node',
    'what a node recorded while it enforced; each record is kept once',
    () =>
      ofNode.extend({
        node_secret: wireSecret,
        epoch,
        records: z
          .array(z.looseObject({ record_id: wireId, timestamp_ms: wireMs, act: wireText, outcome: wireText }))
          .max(1000),
      }),
    () => z.object({ accepted: z.int() }),
  ),
} as const;
