import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, join, parse, resolve, sep } from 'node:path';
import { FsError } from '../core/index.js';
import { makeDirs } from '../linux/index.js';

const STICKY = 0o1000;
const MAX_LINKS = 40;

/**
 * Makes the directory of state where it is missing, mode 0700, and requires that nobody else can put anything
 * into it, as `requirePrivateDir` does.
 */
export function makePrivateDir(dir: string, isOurs?: (name: string) => boolean): void {
  requirePrivateDir(dir, isOurs);
  makeDirs(dir, 0o700);
  requirePrivateDir(dir, isOurs);
}

/**
 * Requires that the directory, if it is there, and all that is in it can be changed by root and us alone,
 * and that nobody else can put another in its place: what it holds is believed. `isOurs` says which of its
 * files that concerns, where it holds others too.
 * @throws FsError EACCES, with what to do
 */
export function requirePrivateDir(dir: string, isOurs: (name: string) => boolean = () => true): void {
  const real = requirePrivateWay(dir);
  const stats = statOf(real);
  if (stats === null) return;
  require(real, stats, { ownedByUs: true, stickyGuards: false });
  for (const name of readdirSync(real)) {
    const path = join(real, name);
    const found = isOurs(name) ? statOf(path) : null;
    if (found !== null) require(path, found, { ownedByUs: false, stickyGuards: false });
  }
}

/** The path without symbolic links; each directory and link on it is judged. */
function requirePrivateWay(dir: string): string {
  let path = parse(resolve(dir)).root;
  const ahead = namesOf(resolve(dir));
  let links = 0;
  for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
    if (name === '..') {
      path = dirname(path);
      continue;
    }
    const next = join(path, name);
    const stats = statOf(next);
    if (stats === null) return join(next, ...ahead);
    if (!stats.isSymbolicLink()) {
      if (ahead.length > 0) require(next, stats, { ownedByUs: false, stickyGuards: true });
      path = next;
      continue;
    }
    require(next, stats, { ownedByUs: false, stickyGuards: true });
    if (++links > MAX_LINKS) throw new FsError('ELOOP', `${dir} leads through too many symbolic links.`);
    const target = readlinkSync(next);
    if (target.startsWith(sep)) path = parse(target).root;
    ahead.unshift(...namesOf(target));
  }
  return path;
}

const namesOf = (path: string): string[] => path.split(sep).filter((name) => name !== '' && name !== '.');

function statOf(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch (thrown) {
    const error = FsError.from(thrown);
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

interface Rule {
  readonly ownedByUs: boolean;
  /** Whether a sticky bit is enough: others may add entries then, but neither rename nor remove ours. */
  readonly stickyGuards: boolean;
}

function require(path: string, stats: Stats, { ownedByUs, stickyGuards }: Rule): void {
  const us = process.geteuid?.() ?? stats.uid;
  if (stats.uid !== us && (ownedByUs || stats.uid !== 0))
    throw refusal(`${path} belongs to another user (uid ${stats.uid})`, {
      path,
      hint:
        (us === 0
          ? `If it is a service's, run the command as its user: sudo -u '#${stats.uid}' acheron …. `
          : '') + `If all that is in it is yours: chown ${us} ${path}. Else choose another --state-dir.`,
    });
  if (stats.isSymbolicLink() || (stickyGuards && (stats.mode & STICKY) !== 0)) return;
  const gid = process.getegid?.() ?? -1;
  // A group of the user's own number has no other members.
  const ownGroup = us !== 0 && stats.gid === gid && gid === us;
  if ((stats.mode & (ownGroup ? 0o002 : 0o022)) === 0) return;
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0');
  throw refusal(`${path} may be written by other users (mode ${mode})`, { path, hint: `chmod go-w ${path}` });
}

function refusal(what: string, more: { path: string; hint: string }): FsError {
  return new FsError('EACCES', `The state is not safe from other users: ${what}.`, more);
}
