import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { FsError, isJsonObject, type JsonObject } from '../core/index.js';

const FORMAT = 1;

/**
 * `<state-file>.runtime-services.json`: what is kept of each service. Replaced as a whole, so a reader
 * finds either the old or the new; what was saved is on the disk when `save` returns.
 */
export class RuntimeStateFile {
  readonly #path: string;
  readonly #nodeId: string;

  constructor(path: string, nodeId: string) {
    this.#path = path;
    this.#nodeId = nodeId;
  }

  /** @throws FsError EPROTO when a newer version wrote it, EIO when it is damaged; it is left untouched. */
  load(): ReadonlyMap<string, JsonObject> {
    const content = this.#read();
    if (content === null) return new Map();
    const { format, services } = content;
    if (typeof format !== 'number' || format > FORMAT) {
      throw new FsError(
        'EPROTO',
        `${this.#path} was written by a newer version of Acheron (format ${JSON.stringify(format)}).`,
        {
          hint: `This version reads formats up to ${FORMAT}. Start the newer version; nothing was changed.`,
          path: this.#path,
        },
      );
    }
    return new Map(
      isJsonObject(services)
        ? Object.entries(services).filter((entry): entry is [string, JsonObject] => isJsonObject(entry[1]))
        : [],
    );
  }

  save(services: ReadonlyMap<string, JsonObject>): void {
    const text = `${JSON.stringify({ format: FORMAT, node_id: this.#nodeId, services: Object.fromEntries(services) }, null, 2)}\n`;
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const draft = `${this.#path}.new`;
    const fd = openSync(draft, 'w', 0o600);
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, this.#path);
    syncDirectory(dirname(this.#path));
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
    throw new FsError('EIO', `${this.#path} is damaged: it is not a JSON object.`, {
      hint: 'Restore it from a backup, or move it away to start with each service as its manifest says.',
      path: this.#path,
    });
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
