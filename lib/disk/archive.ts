import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { FsError, reasonOf } from '../core/index.js';
import { makeDirs } from '../linux/index.js';
import { syncPath } from './sync-path.js';

/** What an archive says of itself: whose state it holds, in which format, and more that its kind knows. */
export interface ArchiveFacts {
  readonly kind: string;
  readonly format: number;
  readonly [fact: string]: string | number;
}

const FACTS = 'meta.json';
const SUMS = 'SHA256SUMS';

/**
 * Packs files of `dir` into one archive at `path`: a tar, compressed by gzip, of mode 0600, with what it is in `meta.json` and the
 * digest of each file in `SHA256SUMS`, as sha256sum(1) reads it. Replaces a file that is there as a whole; on the disk
 * when it answers. `dir` is the caller's own: two files are added to it.
 * @throws FsError; what was at `path` is as it was then
 */
export async function writeArchive(
  path: string,
  from: { readonly dir: string; readonly names: readonly string[]; readonly facts: ArchiveFacts },
): Promise<void> {
  const { dir, names, facts } = from;
  const packed = [FACTS, ...names];
  const draft = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(join(dir, FACTS), `${JSON.stringify(facts, null, 2)}\n`, { mode: 0o600 });
    let sums = '';
    for (const name of packed) sums += `${await digestOf(join(dir, name))}  ${name}\n`;
    writeFileSync(join(dir, SUMS), sums, { mode: 0o600 });
    const { create } = await import('tar');
    await create({ cwd: dir, file: draft, gzip: true, portable: true, strict: true, mode: 0o600 }, [
      ...packed,
      SUMS,
    ]);
    syncPath(draft);
    renameSync(draft, path);
  } catch (thrown) {
    rmSync(draft, { force: true });
    const { code } = FsError.from(thrown);
    throw new FsError(code, `The backup ${path} could not be written: ${reasonOf(thrown)}.`, {
      hint: 'Look at its directory and the space on its disk. What was there before is as it was.',
      path,
      cause: thrown,
    });
  }
  syncPath(dirname(path));
}

/**
 * Unpacks an archive that `writeArchive` has made into `dir`, which is made, and answers what it says of itself. By then every file
 * was compared with its digest, and is on the disk. `mayHold` says which files an archive of the kind has.
 * @throws FsError EINVAL where it is of another kind or a newer format, EIO where it is damaged
 */
export async function readArchive(
  path: string,
  into: {
    readonly dir: string;
    readonly kind: string;
    readonly format: number;
    readonly mayHold: (name: string) => boolean;
  },
): Promise<{ readonly facts: ArchiveFacts; readonly names: readonly string[] }> {
  const { dir, kind, format, mayHold } = into;
  makeDirs(dir, 0o700);
  const unpacked = await unpack(path, dir);
  const facts = factsIn(path, dir);
  if (facts.kind !== kind)
    throw new FsError('EINVAL', `${path} is a backup of another kind: ${JSON.stringify(facts.kind)}.`, {
      hint: `Give one of the kind ${JSON.stringify(kind)}. Nothing was changed.`,
      path,
    });
  if (facts.format > format)
    throw new FsError('EINVAL', `${path} has format ${facts.format}; this release reads up to ${format}.`, {
      hint: 'Use the release that made it, or a later one. Nothing was changed.',
      path,
    });
  const names = unpacked.filter((name) => name !== FACTS && name !== SUMS);
  const foreign = names.find((name) => !mayHold(name));
  if (foreign !== undefined)
    throw damaged(path, `it holds ${JSON.stringify(foreign)}, which no backup of this kind has`);
  await checkSums(path, dir, names);
  for (const name of [FACTS, SUMS]) rmSync(join(dir, name));
  return { facts, names };
}

/** Answers the names of the files in it. */
async function unpack(path: string, dir: string): Promise<string[]> {
  const { extract } = await import('tar');
  const files = new Set<string>();
  const foreign: string[] = [];
  try {
    // A tar that does not begin as one would be taken for an empty one.
    await extract({
      cwd: dir,
      file: path,
      strict: true,
      dmode: 0o700,
      filter: (name, entry) => {
        const isFile = 'type' in entry && entry.type === 'File' && !files.has(name);
        if (isFile) files.add(name);
        else foreign.push(name);
        return isFile;
      },
    });
  } catch (thrown) {
    const { code } = FsError.from(thrown);
    if (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR')
      throw new FsError(code, `The backup ${path} cannot be read: ${reasonOf(thrown)}.`, {
        hint: 'Name a file that is a backup, and that you may read.',
        path,
        cause: thrown,
      });
    if (code === 'ENOSPC') throw FsError.from(thrown);
    throw damaged(path, reasonOf(thrown), thrown);
  }
  const [first] = foreign;
  if (first !== undefined) throw damaged(path, `${JSON.stringify(first)} in it is no file of its own`);
  return [...files];
}

function factsIn(path: string, dir: string): ArchiveFacts {
  const file = join(dir, FACTS);
  let facts: Partial<ArchiveFacts> | null = null;
  try {
    if (existsSync(file)) facts = JSON.parse(readFileSync(file, 'utf8')) as Partial<ArchiveFacts> | null;
  } catch (thrown) {
    throw damaged(path, `its ${FACTS} is no JSON`, thrown);
  }
  if (typeof facts?.kind !== 'string' || typeof facts.format !== 'number')
    throw damaged(path, `it has no ${FACTS} that says what it is`);
  return facts as ArchiveFacts;
}

async function checkSums(path: string, dir: string, names: readonly string[]): Promise<void> {
  const file = join(dir, SUMS);
  if (!existsSync(file)) throw damaged(path, `it has no ${SUMS}`);
  const sums = new Map(
    readFileSync(file, 'utf8')
      .split('\n')
      .map((line): [string, string] => [line.slice(66), line.slice(0, 64)]),
  );
  sums.delete('');
  const present = new Set([FACTS, ...names]);
  const lost = [...sums.keys()].find((name) => !present.has(name));
  if (lost !== undefined) throw damaged(path, `${lost} is missing in it`);
  for (const name of present) {
    const unpacked = join(dir, name);
    if ((await digestOf(unpacked)) !== sums.get(name))
      throw damaged(path, `${name} in it is not what was packed`);
    syncPath(unpacked);
  }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

function damaged(path: string, what: string, cause?: unknown): FsError {
  return new FsError('EIO', `The backup ${path} is damaged: ${what}.`, {
    hint: 'Take an earlier one. Nothing was changed.',
    path,
    cause,
  });
}
