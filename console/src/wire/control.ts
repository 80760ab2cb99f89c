import type { ControlName, ControlPush, ControlReply, ControlRequest } from 'acheron/protocol';
import { Store } from '../model/store.js';
import { Fault, faultFromFrame } from './fault.js';
import { Socket, type Frame } from './socket.js';

export type Event = ControlPush<'node_service_event'>;
export type Welcome = ControlReply<'connect'>;

interface Pending {
  readonly resolve: (payload: unknown) => void;
  readonly reject: (fault: Fault) => void;
}

export interface Watcher {
  /** All is to be asked for anew: the watch begins, or something was missed. */
  reset(): void;
  event(event: Event): void;
}

/** The control channel of one session: requests, and the watch, which goes on where it was after a lost connection. */
export class ControlLink {
  readonly welcome = new Store<Welcome | null>(null);
  readonly #socket: Socket;
  readonly #pending = new Map<string, Pending>();
  readonly #watchers = new Set<Watcher>();
  #nextId = 1;
  #cursor: string | undefined;
  /** The watch began anew, and its listeners have not been notified. */
  #isAnew = false;

  constructor(secret: string) {
    this.#socket = new Socket('control', secret, {
      greet: (send) => this.#greet(send),
      receive: (frame) => this.#receive(frame),
      lost: () => this.#lost(),
    });
    this.state.on(() => {
      if (this.state.value !== 'open' || !this.#isAnew) return;
      this.#isAnew = false;
      this.#resetAll();
    });
  }

  get state(): Socket['state'] {
    return this.#socket.state;
  }

  start(): void {
    this.#socket.start();
  }

  retryNow(): void {
    this.#socket.retryNow();
  }

  end(): void {
    this.#socket.end();
  }

  /** @throws Fault as the server answered, or where the connection is or gets lost */
  request<Name extends ControlName>(name: Name, payload: ControlRequest<Name>): Promise<ControlReply<Name>> {
    if (this.state.value !== 'open') return Promise.reject(Fault.lost());
    return this.#ask(name, payload, (frame) => this.#socket.send(frame));
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    if (this.state.value === 'open') watcher.reset();
    return () => this.#watchers.delete(watcher);
  }

  #ask<Name extends ControlName>(
    name: Name,
    payload: ControlRequest<Name>,
    send: (frame: object) => void,
  ): Promise<ControlReply<Name>> {
    const id = String(this.#nextId++);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject });
      send({ channel: 'control', type: `control.${name}`, id, payload });
    });
  }

  async #greet(send: (frame: object) => void): Promise<void> {
    await this.#ask('version', { protocol: 'unified-v2' }, send);
    const welcome = await this.#ask('connect', { client: 'console' }, send);
    if (!(await this.#resume(send))) this.#isAnew = true;
    this.welcome.set(welcome);
  }

  /** Whether the watch goes on where it was; else it begins now. */
  async #resume(send: (frame: object) => void): Promise<boolean> {
    if (this.#cursor !== undefined) {
      try {
        const { cursor } = await this.#ask('node_service_watch', { cursor: this.#cursor }, send);
        this.#cursor = cursor;
        return true;
      } catch (thrown) {
        if (Fault.from(thrown).code !== 'compacted') throw thrown;
      }
    }
    const { cursor } = await this.#ask('node_service_watch', { replay_limit: 0 }, send);
    this.#cursor = cursor;
    return false;
  }

  #resetAll(): void {
    for (const watcher of this.#watchers) watcher.reset();
  }

  #receive(frame: Frame): void {
    if (frame.id !== undefined) {
      const pending = this.#pending.get(frame.id);
      this.#pending.delete(frame.id);
      if (frame.type === 'control.error') pending?.reject(faultFromFrame(frame));
      else pending?.resolve(frame.payload);
      return;
    }
    switch (frame.type) {
      case 'control.node_service_event': {
        const event = frame.payload as Event;
        this.#cursor = event.cursor;
        for (const watcher of this.#watchers) watcher.event(event);
        return;
      }
      case 'control.session_changed':
        this.#sessionChanged(frame.payload as ControlPush<'session_changed'>);
        return;
      case 'control.error':
        // The watch was cut off: it is begun anew.
        void this.#rewatch();
        return;
      default:
    }
  }

  #sessionChanged({ role, project_id, revoked }: ControlPush<'session_changed'>): void {
    if (revoked) {
      this.end();
      return;
    }
    const { value } = this.welcome;
    if (value !== null) this.welcome.set({ ...value, role, project_id, requires_session_attach: false });
    this.#resetAll();
  }

  async #rewatch(): Promise<void> {
    try {
      if (!(await this.#resume((frame) => this.#socket.send(frame)))) this.#resetAll();
    } catch {
      // The connection was lost meanwhile; the next one watches again.
    }
  }

  #lost(): void {
    for (const { reject } of this.#pending.values()) reject(Fault.lost());
    this.#pending.clear();
  }
}
