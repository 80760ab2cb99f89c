import { accessSync } from 'node:fs';
import { type Emitter, FsError, idFrom, type Log, reasonOf, silentLog } from '../../core/index.js';
import type { Change, DirNode, Vfs } from '../../vfs/index.js';
import { checkOverlap } from './check-overlap.js';
import { ExportState } from './export-state.js';
import { hostErrorFrom } from './host-error.js';
import type { Identity, UserMap } from './identity.js';
import { loadNative, type Native } from './native.js';

/** As many directories of one export are watched for changes at a time. */
const MAX_WATCHES = 256;

export interface CreateExportOptions {
  /** What it is called in the tree. */
  readonly name: string;
  /** The real directory. */
  readonly path: string;
  readonly readOnly: boolean;
  /** What it must not overlap: the mount point, the state directory, tokens, manifests, drivers. */
  readonly forbidden: readonly string[];
  /**
   * Whom remote callers act as, where this process is root; null: as this process itself, with all that it may. Local
   * callers act as themselves.
   */
  readonly squash: Identity | null;
  /** Whom remote callers may ask to act as instead; null: nobody. */
  readonly userMap?: UserMap | null;
  /** Whether what is mounted below is shown too. */
  readonly crossMounts?: boolean;
  readonly log?: Log;
  /** Directories watched at a time; 0 watches nothing. */
  readonly maxWatches?: number;
  /** The system calls beyond Node's own; null does without, as where koffi cannot be loaded. */
  readonly native?: Native | null;
}

/** A real directory as a `Vfs`. */
export interface Export extends Vfs {
  readonly name: string;
  readonly readOnly: boolean;
  /** The real directory, for descriptors and messages. */
  readonly path: string;
  /** What it holds at present: open descriptors, known nodes, watched directories. */
  readonly usage: { readonly openHandles: number; readonly nodes: number; readonly watches: number };
}

/**
 * Opens a real directory as a `Vfs`. The directory is held open: should its path come to mean another
 * one, this still shows the first.
 * @throws FsError EINVAL for a bad name or a path that overlaps a forbidden one; ENOENT, ENOTDIR, EACCES
 * as open(2); EOPNOTSUPP where the system has no /proc
 */
export async function createExport(options: CreateExportOptions): Promise<Export> {
  const { name, path, readOnly } = options;
  idFrom(name, 'The export name');
  checkProc();
  const native = options.native === undefined ? loadNative() : options.native;
  const crossMounts = options.crossMounts === true;
  checkNative(options, native);
  let state: ExportState;
  try {
    checkOverlap(name, path, options.forbidden);
    state = new ExportState(path, {
      readOnly,
      native,
      squash: options.squash,
      userMap: options.userMap ?? null,
      crossMounts,
      maxWatches: options.maxWatches ?? MAX_WATCHES,
      log: options.log ?? silentLog,
    });
  } catch (thrown) {
    const error = hostErrorFrom(thrown);
    if (error.hint !== undefined) throw error;
    throw new FsError(
      error.code,
      `The export ${JSON.stringify(name)} (${path}) cannot be opened: ${reasonOf(error)}.`,
      {
        path,
        cause: thrown,
        hint: 'Name a directory that exists and that this user may enter.',
      },
    );
  }
  return new RealDirectory(name, path, readOnly, state);
}

class RealDirectory implements Export {
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
  readonly #state: ExportState;

  constructor(name: string, path: string, readOnly: boolean, state: ExportState) {
    this.name = name;
    this.path = path;
    this.readOnly = readOnly;
    this.#state = state;
  }

  get root(): DirNode {
    return this.#state.root;
  }

  get changes(): Emitter<Change> {
    return this.#state.changes;
  }

  get usage(): { openHandles: number; nodes: number; watches: number } {
    const { openHandles, nodes, watch } = this.#state;
    return { openHandles: openHandles.size, nodes: nodes.size, watches: watch.size };
  }

  async close(): Promise<void> {
    this.#state.close();
    return Promise.resolve();
  }
}

/** @throws FsError EOPNOTSUPP for what cannot be done without koffi */
function checkNative(
  { name, squash, userMap = null, crossMounts }: CreateExportOptions,
  native: Native | null,
): void {
  if (native !== null) return;
  const needs =
    crossMounts === true
      ? ':xdev needs'
      : (squash !== null || userMap !== null) && process.geteuid?.() === 0
        ? 'acting as another user needs'
        : null;
  if (needs === null) return;
  throw new FsError(
    'EOPNOTSUPP',
    `The export ${JSON.stringify(name)} is refused: ${needs} the koffi package, which could not be loaded here.`,
    {
      hint: 'Install koffi, or run the node as the user that remote callers shall act as.',
    },
  );
}

/** Containment rests on `/proc/self/fd`. */
function checkProc(): void {
  try {
    accessSync('/proc/self/fd');
  } catch (thrown) {
    throw new FsError('EOPNOTSUPP', 'Directories can be exported only where /proc is mounted (Linux).', {
      cause: thrown,
      hint: 'Run this node on Linux with /proc, or leave --export out.',
    });
  }
}
