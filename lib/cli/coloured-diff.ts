import pc from 'picocolors';
import { forOut } from './write-out.js';

/** A unified diff for a person, without its last line break. */
export function colouredDiff(diff: string): string {
  return forOut(diff)
    .trimEnd()
    .split('\n')
    .map((line) => {
      if (line.startsWith('+')) return pc.green(line);
      if (line.startsWith('-')) return pc.red(line);
      return line.startsWith('@@') ? pc.cyan(line) : line;
    })
    .join('\n');
}
