import * as z from 'zod';
import { MAX_TOKEN_CHARS } from '../limits.js';

/** A session as the control plane sends it to a node: the caller, and the project's policy that holds for it. */
export const wireSession = z.object({
  id: z.string().min(1).max(MAX_TOKEN_CHARS),
  role: z.enum(['admin', 'user']),
  agent_id: z.string().nullable(),
  project: z
    .object({
      id: z.string(),
      verified: z.boolean(),
      has_token: z.boolean(),
      access_policy: z.json().optional(),
    })
    .nullable(),
  revoked: z.boolean(),
});

export type WireSession = z.infer<typeof wireSession>;
