/** A piece of a program's output, and how it asked for it to look. */
export interface Piece {
  readonly text: string;
  /** Classes: `ansi-red`, `ansi-bold`. */
  readonly look: readonly string[];
}

const COLOURS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
/** Escape sequences of any kind, and controls but tab and line feed. */
const ESCAPES =
  // eslint-disable-next-line no-control-regex -- these are what is looked for
  /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|\r(?=\n)|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** Colours and bold of a terminal's output; all else that a terminal would obey is left out. */
export function piecesOf(output: string): Piece[] {
  const pieces: Piece[] = [];
  let colour: string | undefined;
  let isBold = false;
  let from = 0;
  const take = (until: number): void => {
    if (until === from) return;
    const look = [...(colour === undefined ? [] : [`ansi-${colour}`]), ...(isBold ? ['ansi-bold'] : [])];
    pieces.push({ text: output.slice(from, until), look });
  };
  for (const found of output.matchAll(ESCAPES)) {
    take(found.index);
    from = found.index + found[0].length;
    if (found[1] === undefined) continue;
    for (const code of found[1].split(/[;:]/).map(Number)) {
      if (code === 0) {
        colour = undefined;
        isBold = false;
      } else if (code === 1) isBold = true;
      else if (code === 22) isBold = false;
      else if (code === 39) colour = undefined;
      else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) colour = COLOURS[code % 10];
    }
  }
  take(output.length);
  return pieces;
}
