import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { localSession } from '../../../lib/policy/index.js';
import { createExport, type CreateExportOptions, type Export } from '../../../lib/providers/index.js';
import { walk, type FileNode, type Node, type Op, type OpenFlags } from '../../../lib/vfs/index.js';

export const op: Op = { session: localSession('admin'), signal: new AbortController().signal };
export const RW: OpenFlags = { read: true, write: true, append: false, truncate: false, exclusive: false };
export const RO: OpenFlags = { ...RW, write: false };

/** Each test runs with the calls that koffi gives, and with what Node alone can do. */
export const MODES: readonly { title: string; options: Partial<CreateExportOptions> }[] = [
  { title: 'with system calls', options: {} },
  { title: 'with Node alone', options: { native: null } },
];

export async function exported(
  t: Test,
  options: Partial<CreateExportOptions> = {},
): Promise<[Export, string]> {
  const base = mkdtempSync(join(tmpdir(), 'acheron-export-'));
  const path = join(base, 'data');
  mkdirSync(path);
  const vfs = await createExport({
    name: 'data',
    path,
    readOnly: false,
    forbidden: [],
    squash: null,
    ...options,
  });
  t.teardown(async () => {
    await vfs.close();
    // Not rmSync, which cannot remove what is too deep for one path.
    execFileSync('rm', ['-rf', base]);
  });
  return [vfs, path];
}

export async function at<Kind extends Node>(vfs: Export, path: string): Promise<Kind> {
  return (await walk(vfs.root, path, op)) as Kind;
}

export async function text(vfs: Export, path: string): Promise<string> {
  const handle = await (await at<FileNode>(vfs, path)).open(RO, op);
  try {
    return Buffer.from(await handle.read(0, 65_536, op)).toString();
  } finally {
    await handle.release();
  }
}

/** The errno of what `work` throws, now or later. */
export async function errno(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'none';
  } catch (error) {
    return (error as { code: string }).code;
  }
}
