/**
 * What `acheron driver new` writes: for each language a small driver that works, with its manifest and a
 * page on how to go on. Texts alone; nothing here touches a disk.
 */
import { C_WASM, GO, RUST } from './compiled.js';
import { NODE, PYTHON, SHELL, TYPESCRIPT } from './scripts.js';
import type { Starter } from './starter.js';

export { filesOfStarter } from './files-of-starter.js';
export type { Starter, StarterFile } from './starter.js';

/** Starters by the word that `--lang` takes. */
export const STARTERS: ReadonlyMap<string, Starter> = new Map([
  ['sh', SHELL],
  ['python', PYTHON],
  ['node', NODE],
  ['ts', TYPESCRIPT],
  ['c-wasm', C_WASM],
  ['rust', RUST],
  ['go', GO],
]);
