import { FsError, isJsonObject, type LogLevelControl } from '../core/index.js';
import { RequestFile } from './request/request-file.js';
import type { Op } from '../vfs/index.js';

export interface LogLevelFileOptions {
  readonly level: LogLevelControl;
  /** Throws what a session sees that may not use it. */
  readonly check: (op: Op) => void;
  /** Puts the act on record. @throws FsError where it cannot: nothing is changed then */
  readonly record: (op: Op, level: string) => void;
}

/** `/control/log_level.json`: `{"level": "debug"}` says how much the process logs from now on. */
export function logLevelFile({ level, check, record }: LogLevelFileOptions): RequestFile {
  return new RequestFile({
    template: { level: level.current() },
    check,
    perform: (request, op) => {
      const wanted = isJsonObject(request) ? request.level : undefined;
      if (typeof wanted !== 'string' || !level.levels.includes(wanted))
        throw new FsError('EINVAL', `level must be one of ${level.levels.join(', ')}.`, {
          hint: 'Write {"level": "debug"}.',
        });
      const before = level.current();
      record(op, wanted);
      level.change(wanted);
      return { level: wanted, before };
    },
  });
}
