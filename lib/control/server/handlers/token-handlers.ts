import { pageOf } from '../page-of.js';
import { join } from 'node:path';
import { writeSecretFile } from '../../store/first-start.js';
import { audited, type Handlers } from './handler.js';
import { wireToken } from './wire.js';

type Names = 'auth_status' | 'auth_rotate' | 'token_create' | 'token_list' | 'token_revoke';

export const tokenHandlers: Handlers<Names> = {
  auth_status: ({ plane, session }) => ({
    session: session.id,
    record: wireToken(plane.store.tokens.get(session.tokenId)!),
  }),

  auth_rotate: audited('auth_rotate', ({ plane, session }, { token_id }) => {
    const { record, token } = plane.store.tokens.rotate(token_id ?? session.tokenId);
    if (record.file !== null) writeSecretFile(join(plane.store.stateDir, record.file), `${token}\n`);
    return { token, record: wireToken(record) };
  }),

  token_create: audited('token_create', ({ plane }, { role, agent_id, projects, label }) => {
    const { record, token } = plane.store.tokens.create({
      role,
      agentId: agent_id ?? null,
      projects: projects ?? null,
      label: label ?? null,
    });
    return { token, record: wireToken(record) };
  }),

  token_list({ plane }, asked) {
    const { page, next } = pageOf(plane.store.tokens.list(), asked, {
      idOf: ({ tokenId }) => tokenId,
      wireOf: wireToken,
    });
    return { tokens: page, next };
  },

  token_revoke: audited('token_revoke', ({ plane }, { token_id }) => ({
    record: wireToken(plane.store.tokens.revoke(token_id)),
  })),
};
