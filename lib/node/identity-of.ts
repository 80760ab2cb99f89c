import { readFileSync } from 'node:fs';
import type { Identity } from '../providers/index.js';

/** A user with its supplementary groups by /etc/passwd and /etc/group, its own group included. */
export function identityOf({ uid, gid }: Pick<Identity, 'uid' | 'gid'>): Identity {
  const names = new Set(
    fieldsIn('/etc/passwd')
      .filter((fields) => Number(fields[2]) === uid)
      .map(([name = '']) => name),
  );
  const member = (list: string | undefined): boolean =>
    (list ?? '').split(',').some((name) => names.has(name));
  const groups = fieldsIn('/etc/group').filter((fields) => fields.length >= 4 && member(fields[3]));
  return { uid, gid, groups: [...new Set([gid, ...groups.map((fields) => Number(fields[2]))])] };
}

function fieldsIn(path: string): string[][] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  } catch {
    // No such file: no such groups.
    return [];
  }
}
