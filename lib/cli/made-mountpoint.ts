import { rmdir } from 'node:fs/promises';

/** Runs `work`; where it fails, the directories that were made for it (the deepest first) are gone again, but for what is not empty. */
export async function withMadeDirs(made: readonly string[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    for (const path of made)
      try {
        await rmdir(path);
      } catch {
        // Something is in it, or on it, by now: it stays, with those above it. What failed is said.
        break;
      }
    throw thrown;
  }
}
