import type { ControlName } from '../../../protocol/index.js';
import { agentHandlers } from './agent-handlers.js';
import type { Handler, Handlers } from './handler.js';
import { historyHandlers } from './history-handlers.js';
import { mountHandlers } from './mount-handlers.js';
import { nodeHandlers } from './node-handlers.js';
import { pairingHandlers } from './pairing-handlers.js';
import { projectHandlers } from './project-handlers.js';
import { replicaHandlers } from './replica-handlers.js';
import { sessionHandlers } from './session-handlers.js';
import { tokenHandlers } from './token-handlers.js';
import { workspaceHandlers } from './workspace-handlers.js';

export type { Handler } from './handler.js';

const HANDLERS: Handlers<ControlName> = {
  ...sessionHandlers,
  ...tokenHandlers,
  ...pairingHandlers,
  ...nodeHandlers,
  ...historyHandlers,
  ...projectHandlers,
  ...workspaceHandlers,
  ...agentHandlers,
  ...mountHandlers,
  ...replicaHandlers,
};

export function handlerFor<Name extends ControlName>(name: Name): Handler<Name> {
  return HANDLERS[name];
}
