import * as z from 'zod';
import {
  message,
  nothing,
  page,
  pageRequest,
  wireId,
  wireMs,
  wireRole,
  wireSecret,
  wireText,
} from './shapes.js';

export const tokenRecord = z.object({
  token_id: z.string(),
  role: wireRole,
  agent_id: z.string().nullable(),
  projects: z.array(z.string()).nullable(),
  label: z.string().nullable(),
  created_at_ms: wireMs,
  rotated_at_ms: wireMs.nullable(),
  revoked_at_ms: wireMs.nullable(),
});

const shownOnce = z.object({ token: wireSecret, record: tokenRecord });

export const TOKEN_MESSAGES = {
  auth_status: message(
    'session',
    'what the token of this session is; to admins, also the tokens of the first start, masked, and where they are kept',
    () => nothing,
    () =>
      z.object({
        session: wireId,
        record: tokenRecord,
        admin_token: z.string().nullable().optional(),
        user_token: z.string().nullable().optional(),
        path: z.string().optional(),
      }),
  ),
  auth_rotate: message(
    'admin',
    "a new secret for this session's token, for another, or with `role` for that role's of the first start; other sessions of the old one end",
    () => z.object({ token_id: z.string().max(64).optional(), role: wireRole.optional() }),
    () => shownOnce.extend({ role: wireRole.optional() }),
  ),
  token_create: message(
    'admin',
    'a new token, shown this once',
    () =>
      z.object({
        role: wireRole,
        agent_id: wireId.nullable().optional(),
        projects: z.array(wireId).max(1000).nullable().optional(),
        label: wireText.nullable().optional(),
      }),
    () => shownOnce,
  ),
  token_list: message(
    'admin',
    'all tokens, without their secrets, in pages',
    () => pageRequest,
    () => page.extend({ tokens: z.array(tokenRecord) }),
  ),
  token_revoke: message(
    'admin',
    'ends a token and its sessions',
    () => z.object({ token_id: z.string().max(64) }),
    () => z.object({ record: tokenRecord }),
  ),
} as const;
