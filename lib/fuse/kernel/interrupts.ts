import { readFileSync } from 'node:fs';
import type { Call } from './call.js';

/** How often the callers of interrupted requests are looked at again. */
const LOOK_AGAIN_MS = 25;
/** How long a handler may take after its call was interrupted, before the call is answered in its place. */
const GRACE_MS = 100;

/**
 * INTERRUPT comes for any handled signal (SIGCHLD, SIGWINCH, a timer), and once per request. So a call is
 * abandoned only when its caller has a signal pending that ends it; until the call is answered the caller
 * is looked at again and again.
 */
export class Interrupts {
  readonly #reason: () => unknown;
  readonly #onKept: (call: Call) => void;
  readonly #givesUp: (pid: number) => boolean;
  readonly #watched = new Map<number, Call>();
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  /** `onKept` gets the calls that were abandoned and not `forget`ed in time. */
  constructor(
    reason: () => unknown,
    onKept: (call: Call) => void,
    givesUp: (pid: number) => boolean = callerGivesUp,
  ) {
    this.#reason = reason;
    this.#onKept = onKept;
    this.#givesUp = givesUp;
  }

  add(call: Call): void {
    if (this.#ended || this.#abandonsGivenUp(call)) return;
    this.#watched.set(call.unique, call);
    this.#timer ??= setInterval(() => this.#lookAgain(), LOOK_AGAIN_MS);
  }

  forget(unique: number): void {
    if (this.#watched.delete(unique) && this.#watched.size === 0) this.#stop();
  }

  abandon(call: Call, reason: unknown = this.#reason()): void {
    if (call.abandoned) return;
    call.abandon(reason);
    setTimeout(() => this.#onKept(call), GRACE_MS);
  }

  end(): void {
    this.#ended = true;
    this.#watched.clear();
    this.#stop();
  }

  #lookAgain(): void {
    for (const call of [...this.#watched.values()]) {
      if (this.#abandonsGivenUp(call)) this.forget(call.unique);
    }
  }

  /** @returns whether the caller gives up: its call is abandoned then. */
  #abandonsGivenUp(call: Call): boolean {
    if (!this.#givesUp(call.pid)) return false;
    this.abandon(call);
    return true;
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

const SIGHUP = 1;
const SIGINT = 2;
const SIGQUIT = 3;
const SIGKILL = 9;
const SIGTERM = 15;
const ENDING = [SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM].reduce((set, signal) => set | bit(signal), 0);

function bit(signal: number): number {
  return 1 << (signal - 1);
}

/**
 * Whether the thread `pid` has HUP, INT, QUIT, KILL or TERM pending, neither blocked nor ignored
 * (proc_pid_status(5)), or is gone. False for 0, a caller outside of our pid namespace.
 */
export function callerGivesUp(pid: number): boolean {
  if (pid === 0) return false;
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ESRCH';
  }
  return (
    ((signals(status, 'SigPnd') | signals(status, 'ShdPnd')) &
      ~signals(status, 'SigBlk') &
      ~signals(status, 'SigIgn') &
      ENDING) !==
    0
  );
}

/** The low 32 bits of one of the masks: every signal that counts here lies there. */
function signals(status: string, field: string): number {
  const hex = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0';
  return Number.parseInt(hex.slice(-8), 16);
}
