import * as z from 'zod';
import { DEBUG_EVENT } from '../family/debug-events.js';
import { message, nothing, wireId, wireText } from './shapes.js';

const agent = z.object({
  id: z.string(),
  agent_id: z.string(),
  name: z.string(),
  description: z.string(),
  is_default: z.boolean(),
  identity_loaded: z.boolean(),
  needs_hatching: z.boolean(),
  capabilities: z.array(z.string()),
});
export type WireAgent = z.infer<typeof agent>;

const subscription = z.object({ enabled: z.boolean() });

/** What programs of the family ask of agents, and how they hear that what projects mount has changed. */
export const AGENT_MESSAGES = {
  agent_list: message(
    'session',
    'the agents that you may know of: your own (`default` where your token names none), and for admins those of all tokens. Nothing runs here: an agent is a name that a token has',
    () => nothing,
    () => z.object({ agents: z.array(agent) }),
  ),
  agent_get: message(
    'session',
    'one of them',
    () => z.object({ agent_id: wireId }),
    () => z.object({ agent }),
  ),
  agent_ensure: message(
    'session',
    "asks whether you are that agent: where your token names none, you are called as you say; none is made, and another's is `forbidden`",
    () => z.object({ agent_id: wireId, name: wireText.nullable().optional() }),
    () => z.object({ agent_id: z.string(), created: z.boolean(), agent }),
  ),
  debug_subscribe: message(
    'session',
    'a `debug.event` of category `control.workspace_topology` follows whenever what projects mount, as far as you see it, is other than before, or reached in another way',
    () => nothing,
    () => subscription,
    DEBUG_EVENT,
  ),
  debug_unsubscribe: message(
    'session',
    'ends that',
    () => nothing,
    () => subscription,
    DEBUG_EVENT,
  ),
} as const;
