import * as z from 'zod';
import {
  message,
  page,
  pageRequest,
  wireId,
  wireLabels,
  wireMs,
  wirePlatform,
  wireSecret,
  wireText,
} from './shapes.js';

/** What a machine says of itself when it asks to become a node. */
export const nodeFacts = {
  node_name: wireId,
  platform: wirePlatform.optional(),
  labels: wireLabels.optional(),
  fs_url: wireText.nullable().optional(),
};

export const leaseTtl = z
  .int()
  .min(1_000)
  .max(24 * 60 * 60 * 1000);

export const joinRequest = z.object({
  request_id: z.string(),
  verification_code: z.string(),
  node_name: z.string(),
  platform: z.unknown(),
  labels: z.unknown(),
  address: z.string(),
  created_at_ms: wireMs,
  expires_at_ms: wireMs,
});

export const inviteRecord = z.object({
  invite_id: z.string(),
  prefix: z.string(),
  created_at_ms: wireMs,
  expires_at_ms: wireMs,
});

/** What a node proves itself with, shown once. */
const credentials = {
  node_id: z.string().optional(),
  node_secret: wireSecret.optional(),
  lease_token: wireSecret.optional(),
  lease_expires_at_ms: wireMs.optional(),
};

const requestId = z.object({ request_id: wireId });

export const PAIRING_MESSAGES = {
  node_invite_create: message(
    'admin',
    'a token by which one machine may become a node, once',
    () =>
      z.object({
        ttl_ms: z
          .int()
          .min(1_000)
          .max(30 * 24 * 60 * 60 * 1000)
          .optional(),
      }),
    () => inviteRecord.extend({ invite_token: wireSecret }),
  ),
  node_invite_list: message(
    'admin',
    'invites that are still good, by their prefixes, in pages',
    () => pageRequest,
    () => page.extend({ invites: z.array(inviteRecord) }),
  ),
  node_join: message(
    'anyone',
    'becomes a node, by an invite or by an approved request; the credentials are shown this once',
    () =>
      z.object({
        ...nodeFacts,
        node_name: wireId.optional(),
        invite_token: wireSecret.optional(),
        request_id: wireId.optional(),
        request_secret: wireSecret.optional(),
        lease_ttl_ms: leaseTtl.optional(),
      }),
    () =>
      z.object({
        state: z.enum(['joined', 'pending']),
        ...credentials,
        node_name: z.string().optional(),
        fs_url: z.string().nullable().optional(),
        platform: z.unknown().optional(),
      }),
  ),
  node_ensure: message(
    'admin',
    'a node of this name: a new one, or the one that is called so and not online, with a new secret. Whoever had the old one is that node no more',
    () =>
      z.object({
        ...nodeFacts,
        lease_ttl_ms: leaseTtl.optional(),
      }),
    () =>
      z.object({
        ...credentials,
        node_name: z.string(),
        fs_url: z.string().nullable(),
        platform: z.unknown(),
        created: z.boolean(),
      }),
  ),
  node_join_request: message(
    'anyone',
    'asks to become a node, by a name of its own or one that it is given; an admin compares the code and approves',
    () => z.object({ ...nodeFacts, node_name: wireId.optional() }),
    () => joinRequest.extend({ request_secret: wireSecret, state: z.string() }),
  ),
  node_join_pending_list: message(
    'admin',
    'requests that wait; of a page, `next` is the `after` of the one that follows',
    () => z.object({ limit: z.int().min(1).max(100).optional(), after: wireId.optional() }),
    () => z.object({ pending: z.array(joinRequest), next: z.string().optional() }),
  ),
  node_join_approve: message(
    'admin',
    'lets a machine become a node; with `with_credentials` it is one at once, and they come in the answer: for a machine that pairs itself',
    () => requestId.extend({ lease_ttl_ms: leaseTtl.optional(), with_credentials: z.boolean().optional() }),
    () => joinRequest.extend({ state: z.string(), ...credentials }),
  ),
  node_join_deny: message(
    'admin',
    'forgets a request; or, with `all` or `address`, all that wait, or those of one address',
    () =>
      z.object({
        request_id: wireId.optional(),
        all: z.boolean().optional(),
        address: wireText.optional(),
      }),
    () => z.object({ request_id: z.string().optional(), state: z.string(), denied: z.int().optional() }),
  ),
} as const;
