import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TrustCheck } from '../../lib/drivers/index.js';

/** Why nothing is refused for its own modes here; false where a folder of the tests is safe from others. */
export const othersMayWrite: string | false = faultOfPlace();

function faultOfPlace(): string | false {
  const dir = mkdtempSync(join(tmpdir(), 'acheron-test-'));
  try {
    return new TrustCheck().folder(dir)?.message ?? false;
  } finally {
    rmdirSync(dir);
  }
}
