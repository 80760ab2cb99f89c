import type { ControlStore, LiveSession } from '../control/index.js';
import { capRole, type Session } from '../policy/index.js';
import type { Transport } from '../transport/index.js';

/** How the sessions of one channel are taken. */
export interface ChannelSessions {
  /** A session as another replica says it is; what is answered says how it is taken here, at each moment. */
  admit(said: Session): () => Session;
  onSessionEnd(id: string): void;
}

/** The sessions that other replicas speak for here. Whatever they say of one, it is no more than this replica knows it to be. */
export class RelayedSessions {
  readonly #store: ControlStore;
  readonly #onEnd: (id: string) => void;
  /** On how many channels each is spoken for. */
  readonly #channels = new Map<string, number>();

  /** `onEnd`: no other replica speaks for it any longer. */
  constructor(store: ControlStore, onEnd: (id: string) => void) {
    this.#store = store;
    this.#onEnd = onEnd;
  }

  has(id: string): boolean {
    return this.#channels.has(id);
  }

  /** `taken` is called with each session as it is taken. */
  on(channel: Transport, taken: (session: Session) => void): ChannelSessions {
    const admitted = new Map<string, RelayedSession>();
    return {
      admit: (said) => {
        let session = admitted.get(said.id);
        if (session === undefined) {
          this.#channels.set(said.id, (this.#channels.get(said.id) ?? 0) + 1);
          admitted.set(said.id, (session = new RelayedSession(this.#store, said.id)));
        }
        session.isSaid(said);
        taken(session.current);
        if (!session.isKnown) this.#lookAgain(channel, session);
        return () => session.current;
      },
      onSessionEnd: (id) => {
        const session = admitted.get(id);
        if (!admitted.delete(id)) return;
        session?.end();
        const left = (this.#channels.get(id) ?? 1) - 1;
        if (left > 0) {
          this.#channels.set(id, left);
          return;
        }
        this.#channels.delete(id);
        this.#onEnd(id);
      },
    };
  }

  /** It may have begun a moment ago, elsewhere: what is asked for it waits until that is known. */
  #lookAgain(channel: Transport, session: RelayedSession): void {
    channel.pause();
    const goOn = (): void => {
      session.look();
      channel.resume();
    };
    this.#store.catchUp().then(goOn, goOn);
  }
}

class RelayedSession {
  readonly #store: ControlStore;
  readonly #id: string;
  #said: Session | undefined;
  #live: LiveSession | undefined;
  #isOver = false;
  /** Of which the other was made. */
  #from: Session | undefined;
  #taken: Session | undefined;

  constructor(store: ControlStore, id: string) {
    this.#store = store;
    this.#id = id;
    this.look();
  }

  get isKnown(): boolean {
    return this.#live !== undefined;
  }

  isSaid(said: Session): void {
    this.#said = said;
    this.#taken = undefined;
  }

  look(): void {
    const { sessions } = this.#store;
    if (this.#isOver || this.isKnown || sessions.get(this.#id) === undefined) return;
    this.#live = sessions.use(this.#id);
    this.#taken = undefined;
  }

  end(): void {
    this.#isOver = true;
    if (this.#live !== undefined) this.#store.sessions.release(this.#live);
    this.#live = undefined;
  }

  /** The same value as long as nothing has changed. */
  get current(): Session {
    const known = this.#live?.current ?? this.#store.sessions.snapshot(this.#id);
    if (this.#taken === undefined || this.#from !== known) {
      this.#from = known;
      const capped = this.#said?.role === 'user' ? capRole(known, 'user') : known;
      this.#taken = this.#said?.revoked === true ? { ...capped, revoked: true } : capped;
    }
    return this.#taken;
  }
}
