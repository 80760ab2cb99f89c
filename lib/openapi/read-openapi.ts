import { realpathSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { FsError, isJsonObject, type JsonObject } from '../core/index.js';

/** A file may be of so many others. */
const MAX_FILES = 500;

/**
 * The document in a file, JSON or YAML, with what it refers to in other files of its folder.
 * @throws FsError EINVAL where it is none, or refers to other places
 */
export async function readOpenapi(file: string): Promise<JsonObject> {
  const { bundle } = await import('@readme/openapi-parser');
  try {
    const root = realpathSync(file);
    const { document, isAlone } = await withinFolder(root);
    return isAlone ? document : ((await bundle(root)) as unknown as JsonObject);
  } catch (thrown) {
    throw FsError.is(thrown) ? thrown : unreadable(file, thrown);
  }
}

/** Looks through all files that a document consists of, before any of them is taken. @throws FsError EINVAL */
async function withinFolder(root: string): Promise<{ document: JsonObject; isAlone: boolean }> {
  const { parse } = await import('@readme/openapi-parser');
  const folder = dirname(root);
  const seen = new Set([root]);
  let first: JsonObject | undefined;
  for (const file of seen) {
    const document: unknown = await parse(file);
    first ??= isJsonObject(document) ? document : undefined;
    for (const ref of refsOf(document)) {
      if (ref.startsWith('#')) continue;
      const target = resolve(dirname(file), decodeURIComponent(ref.split('#')[0] ?? ''));
      if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(ref) || !isWithin(folder, target))
        throw new FsError('EINVAL', `${file} refers to ${ref}, which is not in its folder.`, {
          hint: 'Fetch what it needs into one folder, or make one document of it.',
        });
      seen.add(realpathOf(target, ref, file));
      if (seen.size > MAX_FILES)
        throw new FsError('EINVAL', `${root} consists of more than ${MAX_FILES} files.`);
    }
  }
  if (first === undefined) throw new FsError('EINVAL', `${root} is not an OpenAPI document.`);
  return { document: first, isAlone: seen.size === 1 };
}

function realpathOf(target: string, ref: string, file: string): string {
  try {
    return realpathSync(target);
  } catch (thrown) {
    throw new FsError('EINVAL', `${file} refers to ${ref}, which is not there.`, { cause: thrown });
  }
}

function isWithin(folder: string, path: string): boolean {
  let real = path;
  try {
    real = realpathSync(path);
  } catch {
    // What is not there leads nowhere else; it is said later.
  }
  return !relative(folder, real).startsWith('..');
}

function* refsOf(value: unknown): Generator<string> {
  const stack: unknown[] = [value];
  for (let one = stack.pop(); one !== undefined; one = stack.pop()) {
    if (typeof one !== 'object' || one === null) continue;
    const { $ref } = one as { $ref?: unknown };
    if (typeof $ref === 'string') yield $ref;
    for (const item of Object.values(one)) if (item !== undefined) stack.push(item);
  }
}

function unreadable(file: string, thrown: unknown): FsError {
  const error = FsError.from(thrown);
  if (error.code === 'ENOENT')
    return new FsError('ENOENT', `${file} is not there.`, {
      hint: 'Name a file with an OpenAPI document.',
      cause: thrown,
    });
  return new FsError('EINVAL', `${file} cannot be read as OpenAPI: ${error.message.split('\n')[0] ?? ''}`, {
    hint: 'It must be JSON or YAML.',
    cause: thrown,
  });
}
