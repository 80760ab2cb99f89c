import { pageOf } from '../page-of.js';
import { join } from 'node:path';
import { writeSecretFile } from '../../store/first-start.js';
import { audited, type Handlers } from './handler.js';
import { wireToken } from './wire.js';

type Names = 'auth_status' | 'auth_rotate' | 'token_create' | 'token_list' | 'token_revoke';

export const tokenHandlers: Handlers<Names> = {
  auth_status: ({ context, session }) => ({
    session: session.id,
    record: wireToken(context.store.tokens.require(session.tokenId)),
  }),

  auth_rotate: audited('auth_rotate', ({ context, session }, { token_id }) => {
    const { record, token } = context.store.tokens.rotate(token_id ?? session.tokenId);
    if (record.file !== null) writeSecretFile(join(context.store.stateDir, record.file), `${token}\n`);
    return { token, record: wireToken(record) };
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
