import { constants } from 'node:os';
import { FsError } from '../core/index.js';
import { isReload, reload } from './reload.js';
import { serviceManager } from './told-manager.js';

/** The signals that ask a server to end, SIGHUP where the terminal is gone; a second one of them ends it at once. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A process that was asked to end and is still there after so long (ms) is ended by force. */
const DEADLINE_MS = 30_000;

let deadlineMs = DEADLINE_MS;
let asked: Promise<NodeJS.Signals> | undefined;
let isAsked = false;

/**
 * Resolves when the process is asked to stop. Call it before anything that must be undone is done, so
 * that a signal that comes early is not lost.
 */
export function stopAsked(): Promise<NodeJS.Signals> {
  return (asked ??= new Promise((resolve) => {
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (isReload(signal)) return void reload();
        const status = 128 + constants.signals[signal];
        if (isAsked) process.exit(status);
        isAsked = true;
        serviceManager()?.stopping();
        setTimeout(() => process.exit(status), deadlineMs).unref();
        resolve(signal);
      });
    }
  }));
}

/** So much longer (ms) may this process take to end: calls that run may go on. */
export function allowLongerStop(ms: number): void {
  deadlineMs = DEADLINE_MS + ms;
}

/** For between two steps of a start. @throws FsError ECANCELED once the process was asked to stop */
export function goOnUnlessStopped(): void {
  if (isAsked)
    throw new FsError('ECANCELED', 'It was asked to stop before it was ready.', {
      hint: 'What it had begun was undone.',
    });
}

/** Whether that is what `thrown` says. */
export function isStoppedEarly(thrown: unknown): boolean {
  return isAsked && FsError.is(thrown) && thrown.code === 'ECANCELED';
}
