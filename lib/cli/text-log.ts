import type { Log, LogFacts } from '../core/index.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A log of one line per message on standard error: time, level, sentence, facts as `key=value`. */
export function textLog(level: LogLevel): Log {
  const write = (of: LogLevel, message: string, facts: LogFacts = {}): void => {
    if (LOG_LEVELS.indexOf(of) < LOG_LEVELS.indexOf(level)) return;
    const shown = Object.entries(facts).map(
      ([key, value]) =>
        ` ${key}=${typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value)}`,
    );
    process.stderr.write(`${new Date().toISOString()} ${of.padEnd(5)} ${message}${shown.join('')}\n`);
  };
  return {
    debug: (message, facts) => write('debug', message, facts),
    info: (message, facts) => write('info', message, facts),
    warn: (message, facts) => write('warn', message, facts),
    error: (message, facts) => write('error', message, facts),
  };
}
