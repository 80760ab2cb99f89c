import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { Up } from './acheron.js';
import { until } from './until.js';

/** Whether the kernel of this machine offers it (Linux 6.9), to root. */
export function hasPassthrough(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return process.getuid!() === 0 && (major > 6 || (major === 6 && minor >= 9));
}

export function mountFacts(up: Up): Record<string, unknown> {
  return JSON.parse(readFileSync(join(up.dir, 'control/mount.json'), 'utf8')) as Record<string, unknown>;
}

/** Waits, where there is passthrough, for the moment after the start from which files are handed over. */
export async function untilPassedThrough(up: Up): Promise<void> {
  if (hasPassthrough()) await until(() => mountFacts(up)['passthrough'] === true, 'passthrough');
}
