import { controlMessage, ProtocolFault, type ControlName } from '../../protocol/index.js';
import type { Peer } from './peer.js';

/** @throws ProtocolFault unless who sends may send this now. */
export function admit(peer: Peer, name: ControlName): void {
  const { state } = peer;
  if (state === 'new' && name !== 'version')
    throw new ProtocolFault('handshake_required', 'Send control.version first.');
  if (state === 'versioned' && name !== 'connect' && name !== 'version')
    throw new ProtocolFault('handshake_required', 'Send control.connect first.');
  if (state === 'new' || state === 'versioned') return;
  const { sender } = controlMessage(name);
  if (sender === 'anyone') return;
  if (state === 'bootstrap')
    throw new ProtocolFault(
      'forbidden',
      'Without a token, only node_join and node_join_request may be sent.',
    );
  if (sender === 'connected' || sender === 'node') return;
  if (state === 'node') throw new ProtocolFault('forbidden', 'A node may not send this.');
  const { current } = peer.session;
  if (current.revoked) throw new ProtocolFault('provider_auth_failed', 'This session was revoked.');
  if (sender === 'admin') peer.requireAdmin(name);
}
