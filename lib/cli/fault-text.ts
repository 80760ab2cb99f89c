import { relative } from 'node:path';
import pc from 'picocolors';
import { lineFromFault, type ManifestFault, type SourceExcerpt } from '../manifest/index.js';
import { forOut } from './write-out.js';

/** A fault for a person: where, what, the line itself with a caret below the place, and what to do. */
export function faultText(
  fault: ManifestFault,
  kind: 'error' | 'warning',
  excerpt: SourceExcerpt | null = null,
): string {
  const place = lineFromFault({ ...fault, file: shownFile(fault.file), message: '' }).trimEnd();
  const colour = kind === 'error' ? pc.red : pc.yellow;
  const lines = [`${pc.bold(forOut(place))} ${colour(kind)}: ${forOut(fault.message)}`];
  if (excerpt !== null) {
    const number = String(excerpt.line);
    lines.push(
      `    ${pc.dim(`${number} |`)} ${forOut(excerpt.source)}`,
      `    ${pc.dim(`${' '.repeat(number.length)} |`)} ${colour(excerpt.caret)}`,
    );
  }
  if (fault.hint !== '') lines.push(`    ${pc.dim(forOut(fault.hint))}`);
  return lines.join('\n');
}

/** Files below the working directory by their relative path, as they were most likely given. */
export function shownFile(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith('..') || path === '' ? file : path;
}
