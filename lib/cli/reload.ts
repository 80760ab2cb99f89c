import { openSync, closeSync } from 'node:fs';
import { FsError, type Log } from '../core/index.js';
import { rereadConfigFile } from './config-file.js';
import { serviceManager } from './told-manager.js';
import { logLevel } from './process-log.js';

type Reload = () => void | Promise<void>;

const hadTerminal = hasTerminal();
let reloads: readonly Reload[] | null = null;
let log: Log | null = null;

/**
 * From now on SIGHUP reads the config file again, of which the log level counts at once, and does what is said
 * here: what can be changed while a server runs.
 */
export function reloadOnHangUp(to: Log, ...more: readonly Reload[]): void {
  log = to;
  reloads = [rereadLogLevel, ...more];
}

/** Whether SIGHUP means that, and not that the terminal is gone. */
export function isReload(signal: NodeJS.Signals): boolean {
  return signal === 'SIGHUP' && reloads !== null && (!hadTerminal || hasTerminal());
}

/** What cannot be read stays as it was, and the log says why. */
export async function reload(): Promise<void> {
  serviceManager()?.reloading();
  for (const one of reloads ?? []) {
    try {
      await one();
    } catch (thrown) {
      const { message, path } = FsError.from(thrown);
      log?.error('Not all could be read again; what was read before counts on.', { error: message, path });
    }
  }
  log?.info('The settings were read again.');
  serviceManager()?.reloaded();
}

async function rereadLogLevel(): Promise<void> {
  const { logLevel: level } = await rereadConfigFile();
  if (typeof level === 'string') logLevel.change(level);
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
