import { readFileSync } from 'node:fs';
import { FsError, isJsonObject, ownValue, type JsonObject, type Log } from '../core/index.js';
import { replaceFile } from '../disk/index.js';
import type { KnownOffers } from '../registry/index.js';

const FORMAT = 1;

/**
 * `<state-file>.offers.json`: what services offered when the node ran last, so that it has them from its start on,
 * without waiting for what they are of. It is a copy of what they will say again: one that cannot be read, or is of a
 * newer release, is left out, and replaced once they have said it.
 */
export class KeptOffers {
  readonly #path: string;
  readonly #log: Log;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  load(): ReadonlyMap<string, KnownOffers> {
    try {
      const kept = JSON.parse(readFileSync(this.#path, 'utf8')) as JsonObject;
      const services = kept['format'] === FORMAT ? kept['services'] : undefined;
      if (!isJsonObject(services)) return new Map();
      return new Map(
        Object.entries(services).flatMap(([serviceId, entry]): [string, KnownOffers][] => {
          const by = isJsonObject(entry) ? ownValue(entry, 'by') : undefined;
          const offers = isJsonObject(entry) ? ownValue(entry, 'offers') : undefined;
          return typeof by === 'string' && isJsonObject(offers) ? [[serviceId, { by, offers }]] : [];
        }),
      );
    } catch (thrown) {
      const { code, message } = FsError.from(thrown);
      if (code !== 'ENOENT') this.#log.warn('What services offered before is not known.', { error: message });
      return new Map();
    }
  }

  /** What cannot be written is asked for again at the next start. */
  save(known: ReadonlyMap<string, KnownOffers>): void {
    try {
      replaceFile(this.#path, `${JSON.stringify({ format: FORMAT, services: Object.fromEntries(known) })}\n`);
    } catch (thrown) {
      const { message } = FsError.from(thrown);
      this.#log.warn('What services offer could not be kept for the next start.', { error: message });
    }
  }
}
