import type { Log, LogFacts } from '../core/index.js';
import { ownLogFile } from './background-log.js';
import { plain } from './harmless.js';
import { MAX_LOG_BYTES, rotateLog } from './log-rotation.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What counts from now on for all logs of this process; null: what each was made with. */
let changedLevel: LogLevel | null = null;

export function setLogLevel(level: LogLevel): void {
  changedLevel = level;
}

/** How often the size of the log in the background is looked at. */
const LOOK_BYTES = 16 * 1024;

/**
 * A log of one line per message on standard error: time, level, sentence, facts as `key=value`. In the
 * background, standard error is a file, which is kept small.
 */
export function textLog(level: LogLevel, maxBytes = MAX_LOG_BYTES): Log {
  const file = ownLogFile();
  let written = LOOK_BYTES;
  const write = (of: LogLevel, message: string, facts: LogFacts = {}): void => {
    if (LOG_LEVELS.indexOf(of) < LOG_LEVELS.indexOf(changedLevel ?? level)) return;
    const shown = Object.entries(facts)
      .filter(([, value]) => value !== undefined)
      .map(
        ([key, value]) =>
          ` ${key}=${typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value)}`,
      );
    const line = `${new Date().toISOString()} ${of.padEnd(5)} ${plain(message + shown.join(''))}\n`;
    process.stderr.write(line);
    written += line.length;
    if (file !== null && written >= LOOK_BYTES) {
      written = 0;
      rotateLog(process.stderr.fd, file, maxBytes);
    }
  };
  return {
    debug: (message, facts) => write('debug', message, facts),
    info: (message, facts) => write('info', message, facts),
    warn: (message, facts) => write('warn', message, facts),
    error: (message, facts) => write('error', message, facts),
  };
}
