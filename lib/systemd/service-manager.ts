import { openNotifySocket, type SendDatagram } from './notify-socket.js';

/** The service manager that started this process, to which it says how it is. */
export class ServiceManager {
  readonly #send: SendDatagram;
  readonly #watchdogMs: number | null;
  #watchdog: NodeJS.Timeout | undefined;
  #status = '';

  constructor(send: SendDatagram, watchdogMs: number | null = null) {
    this.#send = send;
    this.#watchdogMs = watchdogMs;
  }

  /** It serves; from now on its loop says that it lives. */
  ready(status: string): void {
    this.#say('READY=1', this.#statusIs(status));
    if (this.#watchdogMs === null || this.#watchdog !== undefined) return;
    // A timer of the loop: where the loop hangs, nothing is said.
    this.#watchdog = setInterval(() => this.#say('WATCHDOG=1'), this.#watchdogMs / 2);
    this.#watchdog.unref();
  }

  /** What `systemctl status` shows. */
  status(status: string): void {
    if (status !== this.#status) this.#say(this.#statusIs(status));
  }

  /** It reads its settings again; `reloaded` says when that is done. */
  reloading(): void {
    this.#say('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  reloaded(): void {
    this.#say('READY=1', this.#statusIs(this.#status));
  }

  stopping(): void {
    this.#say('STOPPING=1', this.#statusIs('Stopping.'));
  }

  #statusIs(status: string): string {
    this.#status = status;
    return `STATUS=${status.replaceAll(/\s*\n\s*/g, ' ')}`;
  }

  /** A service manager that does not listen any more is no reason to fail. */
  #say(...lines: readonly string[]): void {
    this.#send(lines.join('\n'));
  }
}

/**
 * The service manager that the environment names, or null. Its variables are removed: what this process starts is not
 * the service.
 */
export function serviceManagerFrom(env: NodeJS.ProcessEnv): ServiceManager | null {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = env;
  if (NOTIFY_SOCKET === undefined) return null;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) Reflect.deleteProperty(env, name);
  const send = openNotifySocket(NOTIFY_SOCKET);
  if (send === null) return null;
  const isWatched = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid;
  const watchdogUs = isWatched ? Number(WATCHDOG_USEC) : NaN;
  return new ServiceManager(send, watchdogUs > 0 ? watchdogUs / 1000 : null);
}
