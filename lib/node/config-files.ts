import { chmodSync, chownSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../core/index.js';

/**
 * The configs of services as files that drivers may read (`ACHERON_CALL_CONFIG_FILE`): outside the state
 * directory where drivers run as a user of their own, who must not read that.
 */
export class ConfigFiles {
  readonly #dir: string;
  readonly #owner: { readonly uid: number; readonly gid: number } | null;

  constructor(dir: string, owner: { readonly uid: number; readonly gid: number } | null) {
    this.#dir = dir;
    this.#owner = owner;
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true, mode: 0o711 });
    chmodSync(dir, 0o711);
  }

  /** Writes the file and returns its path; replaced as a whole, so that a driver never reads half of it. */
  write(serviceId: string, config: JsonObject): string {
    const path = join(this.#dir, `${serviceId}.json`);
    const draft = `${path}.new`;
    writeFileSync(draft, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o400 });
    if (this.#owner !== null) chownSync(draft, this.#owner.uid, this.#owner.gid);
    renameSync(draft, path);
    return path;
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
