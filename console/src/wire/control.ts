import type { ControlName, ControlPush, ControlReply, ControlRequest } from 'acheron/protocol';
import { Store } from '../model/store.js';
import { Fault } from './fault.js';
import { Link } from './link.js';
import type { Frame } from './socket.js';

export type Event = ControlPush<'node_service_event'>;
export type Welcome = ControlReply<'connect'>;

export interface Watcher {
  /** All is to be asked for anew: the watch begins, or something was missed. */
  reset(): void;
  event(event: Event): void;
}

/** The control channel of one session: requests, and the watch, which goes on where it was after a lost connection. */
export class ControlLink extends Link {
  readonly welcome = new Store<Welcome | null>(null);
  readonly #watchers = new Set<Watcher>();
  #cursor: string | undefined;
  /** The watch began anew, and its listeners have not been notified. */
  #isAnew = false;

  constructor(secret: string) {
    super('control', secret);
    this.state.on(() => {
      if (this.state.value !== 'open' || !this.#isAnew) return;
      this.#isAnew = false;
      this.#resetAll();
    });
  }

  /** @throws Fault as the server answered, or where the connection is or gets lost */
  request<Name extends ControlName>(name: Name, payload: ControlRequest<Name>): Promise<ControlReply<Name>> {
    if (this.state.value !== 'open') return Promise.reject(Fault.lost());
    return this.#ask(name, payload, (frame) => this.socket.send(frame));
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
    return this.exchangeFrames((number) =>
      send({ channel: 'control', type: `control.${name}`, id: String(number), payload }),
    ) as Promise<ControlReply<Name>>;
  }

  protected async greet(send: (frame: object) => void): Promise<void> {
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

  protected receive(frame: Frame): void {
    if (frame.id !== undefined) {
      this.answered(Number(frame.id), frame, frame.type === 'control.error');
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
      if (!(await this.#resume((frame) => this.socket.send(frame)))) this.#resetAll();
    } catch {
      // The connection was lost meanwhile; the next one watches again.
    }
  }

  /** The watch goes on with the next connection. */
  protected lost(): void {}
}
