import type { Job } from '../job.js';

/** What a key is found by among those of all principals. */
export function keyName(principal: string, key: string): string {
  return `${principal}\n${key}`;
}

/** Of a job without a key: a name that none has. */
export function keyNameOf({ owner, key }: Job): string {
  return keyName(owner.principal, key ?? '');
}
