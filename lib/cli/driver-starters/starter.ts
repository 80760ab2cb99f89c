import type { JsonObject } from '../../core/index.js';

/** What `acheron driver new` writes for a language. */
export interface Starter {
  /** The language, for people. */
  readonly title: string;
  /** `runtime` of the manifest. */
  readonly runtime: JsonObject;
  /** The driver's files by their names. */
  readonly files: ReadonlyMap<string, StarterFile>;
  /** Commands that build the driver, if it needs to be built. */
  readonly build: readonly string[];
  /** A command that tries the driver without a node, and what it prints. */
  readonly tryIt: string;
  /** What to know before changing it: paragraphs of Markdown. */
  readonly notes: string;
}

export interface StarterFile {
  readonly text: string;
  readonly executable: boolean;
}

export const program = (text: string): StarterFile => ({ text, executable: true });
export const source = (text: string): StarterFile => ({ text, executable: false });
