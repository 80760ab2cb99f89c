import type { TokenRecord } from '../store/tokens.js';

/** What the upgrade proved. With `sessionId`, that one session of the token alone: it begins and resumes no other. */
export type Credential =
  { readonly record: TokenRecord; readonly hash: Buffer; readonly sessionId?: string } | undefined;
