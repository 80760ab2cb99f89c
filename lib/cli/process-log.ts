import { fstatSync } from 'node:fs';
import type { Log, LogFacts, LogLevelControl } from '../core/index.js';
import { openJournal, type SendDatagram } from '../systemd/index.js';
import { ownLogFile } from './background-log.js';
import {
  LOG_LEVELS,
  journalFields,
  journalLine,
  jsonLine,
  textLine,
  type LogEntry,
  type LogFormat,
  type LogLevel,
} from './log-format.js';
import { MAX_LOG_BYTES, rotateLog } from './log-rotation.js';

export interface LogFlags {
  readonly logLevel: LogLevel;
  readonly logFormat?: LogFormat;
}

/** What counts from now on for all logs of this process; null: what each was made with. */
let changedLevel: LogLevel | null = null;
let givenLevel: LogLevel = 'warn';

/** How much this process logs, as it is now. */
export const logLevel: LogLevelControl = {
  levels: LOG_LEVELS,
  current: () => changedLevel ?? givenLevel,
  change(level) {
    changedLevel = LOG_LEVELS.find((known) => known === level) ?? changedLevel;
  },
};

/** How often the size of the log in the background is looked at. */
const LOOK_BYTES = 16 * 1024;

/**
 * A log of one line per message on standard error, as text or JSON; where that is the journal and nothing else is asked for, an
 * entry of the journal, with priority and fields. In the background, standard error is a file, which is kept small.
 */
export function processLog(flags: LogFlags, maxBytes = MAX_LOG_BYTES): Log {
  givenLevel = flags.logLevel;
  const file = ownLogFile();
  let written = LOOK_BYTES;
  const put = putterFor(flags.logFormat);
  const write = (level: LogLevel, message: string, facts: LogFacts = {}): void => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(changedLevel ?? flags.logLevel)) return;
    written += put({ level, message, facts });
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

/** Writes an entry; answers how long it was. */
type Put = (entry: LogEntry) => number;

function putterFor(format: LogFormat | undefined): Put {
  if (format === 'json') return toStandardError(jsonLine);
  return format === undefined && isJournal() ? toJournal() : toStandardError(textLine);
}

function toStandardError(lineOf: (entry: LogEntry) => string): Put {
  return (entry) => {
    const line = lineOf(entry);
    process.stderr.write(line);
    return line.length;
  };
}

/** By the journal's own socket; what that does not take, as a line. */
function toJournal(): Put {
  const byLine = toStandardError(journalLine);
  let send: SendDatagram | null | undefined;
  return (entry) => {
    send ??= openJournal();
    return send?.(journalFields(entry)) === true ? 0 : byLine(entry);
  };
}

/** systemd says by which file the journal reads what we write. */
function isJournal(): boolean {
  const { JOURNAL_STREAM } = process.env;
  if (JOURNAL_STREAM === undefined) return false;
  try {
    const { dev, ino } = fstatSync(process.stderr.fd);
    return JOURNAL_STREAM === `${dev}:${ino}`;
  } catch {
    // Standard error is closed: nobody reads it.
    return false;
  }
}
