import type { ControlEventName, ControlPush, ProtocolFault } from '../../protocol/index.js';
import type { Transport } from '../../transport/index.js';
import type { LiveSession } from '../store/sessions.js';
import type { Credential } from './credential.js';
import type { Connection, ServerContext } from './server-context.js';
import type { RuntimeChannel } from './runtime.js';
import type { UpsertParts } from './upsert-parts.js';
import type { Watches } from './watches.js';

export type PeerState = 'new' | 'versioned' | 'bootstrap' | 'node' | 'session' | 'closed';

/** Who sent a request, to what handles it. */
export interface Peer extends Connection {
  readonly context: ServerContext;
  readonly id: string;
  readonly address: string;
  /** How it reached us: `ws://host:port`. */
  readonly url: string;
  readonly connectedAtMs: number;
  readonly credential: Credential;
  readonly transport: Transport;
  readonly state: PeerState;
  readonly watches: Watches;
  readonly upsertParts: UpsertParts;
  /** The session of this connection. @throws ProtocolFault where it has none. */
  readonly session: LiveSession;
  /** The files as this session sees them. @throws ProtocolFault where none are served */
  readonly files: RuntimeChannel;
  /** Whether an admin's session sends on it. */
  readonly isAdmin: boolean;
  /** @throws ProtocolFault forbidden where another does, which is recorded */
  requireAdmin(act: string): void;
  /** The caller, for the audit log. */
  who(): { session_id: string; role: string; agent_id: string | null; project_id: string | null };
  /** The handshake goes on. */
  enter(state: 'versioned' | 'bootstrap'): void;
  /** Without a token it may stay for a moment, and for another as long as its request waits. */
  stayAwhile(): void;
  /** The far end has proved that it is this node, and is no stranger. */
  proveNode(nodeId: string): void;
  /** This is the connection of a node from now on. */
  becomeNode(): void;
  /** It wants to know of changes of its session, also while it watches nothing. */
  wantEvents(): void;
  /** Sends a `debug.event` whenever `look` answers another text than before; undefined: no more. */
  follow(look: (() => string) | undefined): void;
  /** Sends an event of a watch, which is text already, as this peer reads it. */
  pushText(frame: string): void;
  /** It knows another control plane to go to when this one stops. */
  movesByItself(): void;
  /** Uses this session from now on, instead of the one before. */
  useSession(sessionId: string): LiveSession;
  push<Name extends ControlEventName>(name: Name, payload: ControlPush<Name>): void;
  pushFault(fault: ProtocolFault): void;
}
