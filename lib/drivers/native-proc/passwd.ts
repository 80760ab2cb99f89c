import { readFileSync } from 'node:fs';
import { FsError } from '../../core/index.js';

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/**
 * The ids of `user`: a name of /etc/passwd, `uid` or `uid:gid`.
 * @throws FsError EIO when there is no such user.
 */
export function idsOfUser(user: string): { uid: number; gid: number } {
  const numbers = /^(\d+)(?::(\d+))?$/.exec(user);
  if (numbers !== null) {
    const uid = Number(numbers[1]);
    const gid =
      numbers[2] === undefined
        ? (entries().find((entry) => entry.uid === uid)?.gid ?? uid)
        : Number(numbers[2]);
    return { uid, gid };
  }
  const entry = entries().find((each) => each.name === user);
  if (entry !== undefined) return { uid: entry.uid, gid: entry.gid };
  throw new FsError('EIO', `There is no user ${JSON.stringify(user)} on this machine.`, {
    hint: 'Name a user of /etc/passwd, or give "uid:gid".',
  });
}

export function homeOfUid(uid: number): { name: string; home: string } | undefined {
  return entries().find((entry) => entry.uid === uid);
}

function entries(): PasswdEntry[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 6)
    .map(([name = '', , uid, gid, , home = '']) => ({ name, uid: Number(uid), gid: Number(gid), home }));
}
