import { join } from 'node:path';
import type { Role } from '../../../policy/index.js';
import { ProtocolFault } from '../../../protocol/index.js';
import { writeSecretFile } from '../../store/first-start.js';
import type { TokenRecord } from '../../store/tokens.js';
import { pageOf } from '../page-of.js';
import type { ServerContext } from '../server-context.js';
import { audited, type Handlers } from './handler.js';
import { wireToken } from './wire.js';

type Names = 'auth_status' | 'auth_rotate' | 'token_create' | 'token_list' | 'token_revoke';

export const tokenHandlers: Handlers<Names> = {
  auth_status: ({ context, session }) => ({
    session: session.id,
    record: wireToken(context.store.tokens.require(session.tokenId)),
    ...(session.current.role === 'admin'
      ? {
          admin_token: masked(keptToken(context, 'admin')),
          user_token: masked(keptToken(context, 'user')),
          path: context.store.stateDir,
        }
      : {}),
  }),

  auth_rotate: audited('auth_rotate', ({ context, session }, { token_id, role }) => {
    const kept = role === undefined ? undefined : keptToken(context, role);
    if (role !== undefined && token_id === undefined && kept === undefined)
      throw new ProtocolFault('not_found', `There is no ${role} token of the first start any more.`);
    const { record, token } = context.store.tokens.rotate(token_id ?? kept?.tokenId ?? session.tokenId);
    if (record.file !== null) writeSecretFile(join(context.store.stateDir, record.file), `${token}\n`);
    return { token, record: wireToken(record), role: record.role };
  }),

  token_create: audited('token_create', ({ context }, { role, agent_id, projects, label }) => {
    const { record, token } = context.store.tokens.create({
      role,
      agentId: agent_id ?? null,
      projects: projects ?? null,
      label: label ?? null,
    });
    return { token, record: wireToken(record) };
  }),

  token_list({ context }, asked) {
    const { page, next } = pageOf(context.store.tokens.list(), asked, {
      idOf: ({ tokenId }) => tokenId,
      wireOf: wireToken,
    });
    return { tokens: page, next };
  },

  token_revoke: audited('token_revoke', ({ context }, { token_id }) => ({
    record: wireToken(context.store.tokens.revoke(token_id)),
  })),
};

/** The token that the first start wrote to a file for this role, unless it was revoked. */
function keptToken({ store }: ServerContext, role: Role): TokenRecord | undefined {
  return store.tokens
    .list()
    .find(({ file, revokedAtMs }) => file === `${role}.token` && revokedAtMs === null);
}

/** Which token it is, without what proves it. */
const masked = (record: TokenRecord | undefined): string | null =>
  record === undefined ? null : `acheron_${record.role}_${record.tokenId}_****`;
