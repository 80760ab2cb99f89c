import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FsError, type Log } from '../../core/index.js';
import { replaceFile } from '../replace-file.js';
import { recordAt, recordFrom } from './log-record.js';

/** `log.json`: which segments a log has, so that one that is missing is missed. */
export interface LogFacts {
  /** What the checksums of its records are mixed with. */
  readonly salt: number;
  /** The first segment that is needed, and the newest one. */
  readonly from: number;
  readonly to: number;
}

/** A log that has no facts yet, or whose facts are damaged, gets new ones; what the segments say goes before. */
export function readLogFacts(dir: string, log: Log): LogFacts {
  const path = join(dir, 'log.json');
  const fresh: LogFacts = { salt: randomBytes(4).readUInt32LE(), from: 0, to: 0 };
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (thrown) {
    if (FsError.from(thrown).code === 'ENOENT') return fresh;
    throw thrown;
  }
  const header = recordAt(bytes, 0, 0)?.header;
  if (header !== undefined)
    return { salt: Number(header.salt), from: Number(header.from), to: Number(header.to) };
  log.error('A file of state is damaged. It is made anew from the segments beside it.', { file: path });
  return fresh;
}

/** Not flushed: after a power loss it may be of before, which asks for less. @throws FsError */
export function writeLogFacts(dir: string, facts: LogFacts): void {
  const { record } = recordFrom({ t: 'log', ...facts }, [], 0);
  replaceFile(join(dir, 'log.json'), record, { sync: false });
}
