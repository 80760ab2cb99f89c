import type { Credential } from './credential.js';
import type { ServerContext } from './server-context.js';

/** The far end of a connection, as far as the upgrade says. */
export interface Arrival {
  readonly id: string;
  readonly address: string;
  readonly credential: Credential;
  /** How it reached us: `ws://host:port`. */
  readonly url: string;
  /** Whether it came as only programs of the family do. */
  readonly isOfFamily: boolean;
  /** To be called once it is known who that is: the party whose connection it is from then on. */
  readonly known: (party: string) => void;
  /** Whether something that it said waits for its turn here. */
  readonly isBehind: () => boolean;
}

/** Calls back where the peer has not said who it is in time; not while what it said waits for us. Answers how to stop it. */
export function afterSilence(
  { clock, limits }: ServerContext,
  { isBehind }: Pick<Arrival, 'isBehind'>,
  late: () => void,
): () => void {
  let stop: () => void;
  const arm = (): void => {
    stop = clock.after(limits.handshakeTimeoutMs, () => (isBehind() ? arm() : late()));
  };
  arm();
  return () => stop();
}
