import { dirname, resolve } from 'node:path';
import { holderAmong } from '../providers/index.js';
import type { ExposureCheck } from '../registry/index.js';
import type { ExportRequest } from './export-request.js';

interface Bounds {
  readonly stateFile: string;
  readonly manifestFiles: readonly string[];
  readonly servicesDirs: readonly string[];
  readonly mountDir: string | null;
  readonly keptApart?: readonly string[];
  readonly exports: readonly ExportRequest[];
}

/** What no export may overlap: the state and its secrets, manifests, the mount itself, and what the command line names. */
export function forbiddenPaths(options: Bounds): string[] {
  const { stateFile, manifestFiles, servicesDirs, mountDir, keptApart = [] } = options;
  return [
    ...[dirname(stateFile), ...manifestFiles, ...servicesDirs, ...keptApart],
    ...(mountDir === null ? [] : [mountDir]),
  ];
}

/** What no export that may be written may overlap besides: this program, and what runs it. */
export function ownPrograms(): string[] {
  return [process.execPath, resolve(import.meta.dirname, '../../..')];
}

/** Finds what remote callers may write to, so that no service runs it. */
export function exposedByExports({ exports }: Bounds): ExposureCheck {
  const holderOf = holderAmong(exports.filter(({ readOnly }) => !readOnly));
  return (path) => {
    const holder = holderOf(path);
    if (holder === null) return null;
    return {
      message: `${path} lies in the export ${JSON.stringify(holder.name)} (${holder.path}), which remote callers may write to`,
      hint: `Move it out of ${holder.path}, or export that with :ro.`,
    };
  };
}
