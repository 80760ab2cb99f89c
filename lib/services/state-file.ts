import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { FsError, isJsonObject, type JsonObject, type JsonValue } from '../core/index.js';
import { makeDirs } from '../linux/index.js';
import { replaceFile } from '../disk/index.js';

/** Format 1 had no `check`. */
export const SERVICES_FORMAT = 2;

/**
 * `<state-file>.runtime-services.json`: what is kept of each service. Replaced as a whole, so a reader
 * finds either the old or the new; what was saved is on the disk when `save` returns.
 */
export class RuntimeStateFile {
  readonly #path: string;
  readonly #nodeId: string;
  #backUpFirst = false;

  constructor(path: string, nodeId: string) {
    this.#path = path;
    this.#nodeId = nodeId;
  }

  /** @throws FsError EPROTO when a newer version wrote it, EIO when it is damaged; it is left untouched. */
  load(): ReadonlyMap<string, JsonObject> {
    const content = this.#read();
    if (content === null) return new Map();
    const { format, services, check } = content;
    if (typeof format !== 'number' || format > SERVICES_FORMAT) {
      throw new FsError(
        'EPROTO',
        `${this.#path} was written by a newer version of Acheron (format ${JSON.stringify(format)}).`,
        {
          hint: `This version reads formats up to ${SERVICES_FORMAT}. Start the newer version; nothing was changed.`,
          path: this.#path,
        },
      );
    }
    this.#backUpFirst = format < SERVICES_FORMAT;
    if (format >= 2 && check !== checkOf(services))
      throw this.#damaged('its "check" is that of other content');
    return new Map(
      isJsonObject(services)
        ? Object.entries(services).filter((entry): entry is [string, JsonObject] => isJsonObject(entry[1]))
        : [],
    );
  }

  save(services: ReadonlyMap<string, JsonObject>): void {
    const kept = Object.fromEntries(services);
    const content = { format: SERVICES_FORMAT, node_id: this.#nodeId, check: checkOf(kept), services: kept };
    makeDirs(dirname(this.#path), 0o700);
    if (this.#backUpFirst && !existsSync(`${this.#path}.format1.bak`))
      copyFileSync(this.#path, `${this.#path}.format1.bak`);
    this.#backUpFirst = false;
    replaceFile(this.#path, `${JSON.stringify(content, null, 2)}\n`);
  }

  #read(): JsonObject | null {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (thrown) {
      if (FsError.from(thrown).code === 'ENOENT') return null;
      throw FsError.from(thrown);
    }
    try {
      const content: unknown = JSON.parse(text);
      if (isJsonObject(content)) return content;
    } catch {
      // Falls through: what is not JSON is as damaged as what is not an object.
    }
    throw this.#damaged('it is not a JSON object');
  }

  #damaged(what: string): FsError {
    return new FsError('EIO', `${this.#path} is damaged: ${what}.`, {
      hint: 'Restore it from a backup, or move it away to start with each service as its manifest says.',
      path: this.#path,
    });
  }
}

/** A bit that flipped can leave JSON that is JSON. */
function checkOf(services: JsonValue | undefined): string {
  return crc32(JSON.stringify(services ?? null))
    .toString(16)
    .padStart(8, '0');
}
