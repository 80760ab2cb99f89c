import * as z from 'zod';
import { AGENT_MESSAGES } from './agent-messages.js';
import { HISTORY_MESSAGES } from './history-messages.js';
import { MOUNT_MESSAGES } from '../family/mount-messages.js';
import { NODE_MESSAGES, nodeEvent } from './node-messages.js';
import { PAIRING_MESSAGES } from './pairing-messages.js';
import { PROJECT_MESSAGES } from './project-messages.js';
import { REPLICA_MESSAGES } from './replica-messages.js';
import { SESSION_MESSAGES } from './session-messages.js';
import type { ControlMessage } from './shapes.js';
import { TOKEN_MESSAGES } from './token-messages.js';
import { WORKSPACE_MESSAGES } from './workspace-messages.js';

export { type WireAgent } from './agent-messages.js';
export * from './history-messages.js';
export * from './node-messages.js';
export * from './pairing-messages.js';
export * from './project-messages.js';
export { CONTROL_PROTOCOL, CONTROL_VERSIONS } from './session-messages.js';
export { type ControlMessage, type Page, type PageRequest, type Sender } from './shapes.js';
export * from './token-messages.js';
export { type WireWorkspaceStatus } from './workspace-messages.js';

/** Every request of the control channel, by its name without the prefix `control.`. */
export const CONTROL_MESSAGES = {
  ...SESSION_MESSAGES,
  ...TOKEN_MESSAGES,
  ...PAIRING_MESSAGES,
  ...NODE_MESSAGES,
  ...HISTORY_MESSAGES,
  ...PROJECT_MESSAGES,
  ...WORKSPACE_MESSAGES,
  ...AGENT_MESSAGES,
  ...MOUNT_MESSAGES,
  ...REPLICA_MESSAGES,
} as const;

export type ControlName = keyof typeof CONTROL_MESSAGES;
export type ControlRequest<Name extends ControlName> = z.infer<(typeof CONTROL_MESSAGES)[Name]['request']>;
export type ControlReply<Name extends ControlName> = z.infer<(typeof CONTROL_MESSAGES)[Name]['reply']>;

const BY_TYPE = new Map<string, ControlName>(
  (Object.keys(CONTROL_MESSAGES) as ControlName[]).map((name) => [`control.${name}`, name]),
);

/** The name of a request's type, or undefined where there is no such request. */
export function controlNameFromType(type: string): ControlName | undefined {
  return BY_TYPE.get(type);
}

export function controlMessage(name: ControlName): ControlMessage {
  return CONTROL_MESSAGES[name];
}

/** What the server pushes. */
export const CONTROL_EVENTS = {
  node_service_event: {
    about: 'something that this watch asked for happened',
    payload: nodeEvent.extend({ watch_id: z.string() }),
  },
  session_changed: {
    about: 'what this session may do, or which project it is attached to, has changed',
    payload: z.object({
      session: z.string(),
      role: z.enum(['admin', 'user']),
      project_id: z.string().nullable(),
      project_verified: z.boolean(),
      revoked: z.boolean(),
    }),
  },
  going_away: {
    about:
      'this server stops: who knows another goes there, within `within_ms` at a moment of its own, and ends this connection ' +
      'when what it asked is answered; until then all is served as before',
    payload: z.object({ reason: z.string(), within_ms: z.int().min(0).optional() }),
  },
  node_superseded: {
    about: 'another connection of this node took over; what this one sends is refused',
    payload: z.object({
      node_id: z.string(),
      epoch: z.int(),
      successor: z.object({ instance_id: z.string(), address: z.string(), connected_at_ms: z.int() }),
    }),
  },
} as const;

export type ControlEventName = keyof typeof CONTROL_EVENTS;
export type ControlPush<Name extends ControlEventName> = z.infer<(typeof CONTROL_EVENTS)[Name]['payload']>;
