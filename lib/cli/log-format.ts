import type { LogFacts } from '../core/index.js';
import { plain } from './harmless.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** What is logged. */
export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
  readonly facts: LogFacts;
}

/** As syslog(3) counts them. */
const PRIORITIES: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3, silent: 7 };

/** For people: time, level, sentence, facts as `key=value`. */
export function textLine({ level, message, facts }: LogEntry): string {
  return `${new Date().toISOString()} ${level.padEnd(5)} ${plain(message + shownFacts(facts))}\n`;
}

/** For machines: a JSON object in each line. What an entry says of itself wins over facts of the same names. */
export function jsonLine({ level, message, facts }: LogEntry): string {
  const time = new Date().toISOString();
  return `${JSON.stringify({ ...readable(facts), time, level, message })}\n`;
}

/** For a journal that reads standard error: its priority before the line, and no time, as it has its own. */
export function journalLine({ level, message, facts }: LogEntry): string {
  return `<${PRIORITIES[level]}>${plain(message + shownFacts(facts))}\n`;
}

/** For the journal's own socket: each fact is a field, which `journalctl ACHERON_INVOCATION_ID=…` finds. */
export function journalFields({ level, message, facts }: LogEntry): Buffer {
  const fields: [string, string][] = [
    ['MESSAGE', plain(message + shownFacts(facts))],
    ['PRIORITY', String(PRIORITIES[level])],
    ['SYSLOG_IDENTIFIER', 'acheron'],
  ];
  for (const [key, value] of Object.entries(readable(facts)))
    fields.push([
      `ACHERON_${key.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]);
  return Buffer.concat(fields.map(([name, value]) => fieldBytes(name, Buffer.from(value))));
}

/** A value of one line stands behind `=`; another has its length before it. */
function fieldBytes(name: string, value: Buffer): Buffer {
  if (!value.includes('\n')) return Buffer.concat([Buffer.from(`${name}=`), value, Buffer.from('\n')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, value, Buffer.from('\n')]);
}

function shownFacts(facts: LogFacts): string {
  return Object.entries(readable(facts))
    .map(([key, value]) => ` ${key}=${isWord(value) ? value : JSON.stringify(value)}`)
    .join('');
}

const isWord = (value: unknown): value is string => typeof value === 'string' && /^[\w./:@-]+$/.test(value);

/** Facts as JSON has them; of an error, its sentence. */
function readable(facts: LogFacts): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, value instanceof Error ? value.message : value]),
  );
}
