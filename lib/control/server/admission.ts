import { controlMessage, ProtocolFault, type ControlName, type ControlTalk } from '../../protocol/index.js';
import { handlerFor } from './handlers/index.js';
import type { Peer } from './peer.js';

/**
 * Connects a peer whose request may come without `control.connect`, as that would; until then nothing more is taken from it.
 * @throws ProtocolFault as `control.connect`
 */
export function connectUnasked(
  peer: Peer,
  { connects }: ControlTalk,
  flow: { pause(): void; resume(): void },
): Promise<unknown> | undefined {
  if (!connects || peer.state !== 'versioned' || peer.credential === undefined) return undefined;
  const begun = handlerFor<'connect'>('connect')(peer, {});
  if (!(begun instanceof Promise)) return undefined;
  flow.pause();
  return begun.finally(() => flow.resume());
}

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

/** What a session changes is done, and answered, before its next request is looked at; nodes' requests may go beside each other. */
export function isInOrder(name: ControlName): boolean {
  const { sender } = controlMessage(name);
  return name === 'connect' || sender === 'connected' || sender === 'admin';
}
