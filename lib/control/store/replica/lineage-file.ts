import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { Lineage, LineageMemory } from '../../../cluster/index.js';
import { FsError, type Log } from '../../../core/index.js';
import { makePrivateDir, replaceFile } from '../../../disk/index.js';

const NAME = 'store-lineage.json';
const lineage = z.object({ system: z.string(), timeline: z.int() });

/**
 * The newest life of the store that this replica has seen, beside its copy and outliving it: a primary from before a failover is known
 * for one then, also where it is the only one that answers.
 */
export class LineageFile implements LineageMemory {
  readonly path: string;
  readonly #log: Log;
  #known: Lineage | undefined;

  /** @throws FsError EIO where the file is damaged; EACCES, EPERM for a directory that others may change */
  constructor(stateDir: string, log: Log) {
    makePrivateDir(stateDir);
    this.path = join(stateDir, NAME);
    this.#log = log;
    this.#known = read(this.path);
  }

  get known(): Lineage | undefined {
    return this.#known;
  }

  learn(known: Lineage): void {
    this.#known = known;
    try {
      replaceFile(this.path, `${JSON.stringify(known)}\n`);
    } catch (thrown) {
      this.#log.warn('which life of the store was seen cannot be kept: it is known until this process ends', {
        error: thrown,
      });
    }
  }
}

function read(path: string): Lineage | undefined {
  try {
    return lineage.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new FsError('EIO', `${path} cannot be read.`, {
      hint: 'Remove it: it is made anew from the store, which must be the true one then.',
      path,
      cause: thrown,
    });
  }
}
