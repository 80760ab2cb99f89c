import * as z from 'zod';
import { wireNumber } from './attributes.js';

/** Most nodes that a page of a catalog has, and most digests that a request names. */
export const MAX_CATALOG_NODES = 256;

const name = z.string().max(255);
const digest = z.string().max(64);
const place = z.object({ node: name, at: wireNumber });

export const catalogRequest = z.object({
  /** Where to go on: `next` of the page before. */
  from: place.optional(),
  /** These nodes alone. */
  only: z.array(name).max(MAX_CATALOG_NODES).optional(),
  /** The digests of nodes of which nothing but the digest need be said again. */
  known: z.array(digest).max(MAX_CATALOG_NODES).optional(),
});

export const catalogService = z.object({
  id: name,
  /** The fields of its descriptor, in order; in `shared`: that field is null here, and the value with this index. */
  fields: z.record(z.string(), z.unknown()),
  shared: z.record(z.string(), wireNumber),
  /** Which of its files the session may write. */
  may: z.array(z.enum(['invoke', 'control'])),
});

export const catalogNode = z.object({
  node_id: name,
  digest,
  /** Absent where the digest is known, and after the first part of a node. */
  facts: z
    .object({
      name: z.string(),
      platform: z.unknown(),
      labels: z.record(z.string(), z.unknown()),
      software: z.string().nullable(),
      joined_at_ms: z.number(),
      last_seen_ms: z.number(),
      online: z.boolean(),
      since_ms: z.number(),
    })
    .optional(),
  services: z.array(catalogService).optional(),
  /** More of its services follow. */
  more: z.boolean().optional(),
});

/** A node of which the catalog says something else than it did. */
export const catalogNews = z.object({
  node_id: name,
  /** False: the session may no longer see it, or it is gone. */
  visible: z.boolean(),
  /** The services that the session may see from now on; absent where there are too many to name. */
  services: z.array(name).optional(),
});

export const catalogPage = z.object({
  role: z.enum(['admin', 'user']),
  nodes: z.array(catalogNode),
  /** What many descriptors say, once for the page. */
  values: z.array(z.unknown()),
  next: place.optional(),
});
