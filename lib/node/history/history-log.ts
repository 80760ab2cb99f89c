import { readFileSync } from 'node:fs';
import {
  FsError,
  isJsonObject,
  lineFromJson,
  ownValue,
  type JsonObject,
  type Log,
} from '../../core/index.js';
import { AppendFile, keepAside, replaceFile } from '../../disk/index.js';

export const HISTORY_FORMAT = 1;

/** A file of JSON objects, one a line, that only grows until it is written anew. The first line says its format. */
export class HistoryLog {
  readonly #path: string;
  readonly #log: Log;
  #file: AppendFile;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
    this.#file = new AppendFile(path, 0, false);
  }

  get bytes(): number {
    return this.#file.size;
  }

  /**
   * All that was written, oldest first. What a kill left half written is dropped; of a damaged file, which is kept aside,
   * what can be read is answered.
   * @throws FsError EPROTO where a newer release wrote it
   */
  load(): JsonObject[] {
    const text = this.#read();
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const lines = whole.split('\n').filter((line) => line !== '');
    const objects = lines.map(objectIn).filter((object) => object !== undefined);
    const format = objects[0] === undefined ? HISTORY_FORMAT : ownValue(objects[0], 'format');
    if (typeof format === 'number' && format > HISTORY_FORMAT)
      throw new FsError(
        'EPROTO',
        `${this.#path} was written by a newer version of Acheron (format ${format}).`,
        {
          hint: `This version reads formats up to ${HISTORY_FORMAT}. Start the newer version; nothing was changed.`,
          path: this.#path,
        },
      );
    if (objects.length < lines.length || (objects.length > 0 && format !== HISTORY_FORMAT))
      this.#log.error('The history of services is damaged; what can be read of it is shown.', {
        file: this.#path,
        kept: keepAside(this.#path),
      });
    this.#file = new AppendFile(this.#path, Buffer.byteLength(whole), false);
    return objects.filter((object) => !Object.hasOwn(object, 'format'));
  }

  /** In one write: all of them are there after a kill, or none. @throws FsError ENOSPC, EIO */
  append(objects: readonly JsonObject[]): void {
    const head = this.#file.size === 0 ? [{ format: HISTORY_FORMAT }] : [];
    this.#file.append(Buffer.from([...head, ...objects].map(lineFromJson).join('')));
  }

  /** Writes it anew; it is the old or the new after a kill. @throws FsError; it is as it was then */
  replace(objects: readonly JsonObject[]): void {
    const text = [{ format: HISTORY_FORMAT }, ...objects].map(lineFromJson).join('');
    replaceFile(this.#path, text);
    this.#file.close();
    this.#file = new AppendFile(this.#path, Buffer.byteLength(text), false);
  }

  close(): void {
    this.#file.close();
  }

  #read(): string {
    try {
      return readFileSync(this.#path, 'utf8');
    } catch (thrown) {
      const error = FsError.from(thrown);
      if (error.code === 'ENOENT') return '';
      throw error;
    }
  }
}

function objectIn(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined; // It is counted as damage.
  }
}
