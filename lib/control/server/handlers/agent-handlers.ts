import { NAMELESS_AGENT, ProtocolFault, type WireAgent } from '../../../protocol/index.js';
import type { Peer } from '../peer.js';
import { visibleMounts } from '../workspace.js';
import type { Handlers } from './handler.js';
import { visibleProjects } from './project-handlers.js';

type Names = 'agent_list' | 'agent_get' | 'agent_ensure' | 'debug_subscribe' | 'debug_unsubscribe';

export const agentHandlers: Handlers<Names> = {
  agent_list: (connection) => ({ agents: agentsKnownTo(connection) }),

  agent_get(connection, { agent_id }) {
    const agent = agentsKnownTo(connection).find(({ id }) => id === agent_id);
    if (agent === undefined) throw new ProtocolFault('agent_not_found', `There is no agent "${agent_id}".`);
    return { agent };
  },

  agent_ensure(connection, { agent_id }) {
    requireOwnAgent(connection, agent_id);
    return { agent_id, created: false, agent: wireAgent(agent_id, true) };
  },

  debug_subscribe(connection) {
    connection.follow(() => topologyOf(connection));
    return { enabled: true };
  },

  debug_unsubscribe(connection) {
    connection.follow(undefined);
    return { enabled: false };
  },
};

function agentsKnownTo({ context, session }: Peer): WireAgent[] {
  const own = session.current.agentId ?? NAMELESS_AGENT;
  const others =
    session.current.role === 'admin'
      ? context.store.tokens
          .list()
          .flatMap(({ agentId, revokedAtMs }) => (agentId === null || revokedAtMs !== null ? [] : agentId))
      : [];
  return [...new Set([own, ...others])].map((id) => wireAgent(id, id === own));
}

const wireAgent = (id: string, isOwn: boolean): WireAgent => ({
  id,
  agent_id: id,
  name: id,
  description: '',
  is_default: isOwn,
  identity_loaded: true,
  needs_hatching: false,
  capabilities: [],
});

/** Who it is, its token says alone. @throws ProtocolFault `forbidden` where it says that it is another one */
export function requireOwnAgent({ session }: Peer, agentId: string | undefined): void {
  const { agentId: own } = session.current;
  if (agentId !== undefined && own !== null && agentId !== own)
    throw new ProtocolFault('forbidden', `The token is of the agent "${own}", and of no other.`);
}

/** What the projects mount that the session may know of, and which of the nodes are there: other text, other topology. */
function topologyOf(connection: Peer): string {
  const { current } = connection.session;
  if (current.revoked) return '';
  const { store } = connection.context;
  const mounts = visibleProjects(connection).map((project) => [
    project.projectId,
    visibleMounts(store, current, project).map((mount) => [mount, store.nodes.get(mount.nodeId)?.online]),
  ]);
  return JSON.stringify(mounts);
}
