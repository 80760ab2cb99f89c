/**
 * A fenced block of a Markdown document that has a meaning for the tests. The words after the language say
 * which:
 *
 * - `LANG file=NAME`: written to NAME in the document's folder, executable.
 * - `json manifest`: a service manifest, checked as the program would (with `file=NAME` written as well).
 * - `sh run`: run by bash in the document's folder. All blocks of a document are one session, in order:
 *   variables and `cd` carry over, and a command that fails ends it (`set -e`).
 * - `sh tour`: the same in a folder where `acheron up ./mnt --services-dir ./services` is running and
 *   `acheron` is on PATH. One such block gives the whole document the mount. Port 18800 stands for one that is free.
 * - `sh check`: run by test/packaging/release.test.ts, where what it checks has been made.
 * - `text output`: what the block before prints, stdout and stderr; `…` stands for anything.
 */
export interface Block {
  /** Where it begins, for messages. */
  readonly line: number;
  readonly kind: 'file' | 'manifest' | 'run' | 'tour' | 'output';
  readonly file: string | undefined;
  readonly text: string;
}

/** The blocks of a document that the tests care about, in order. */
export function blocksOfMarkdown(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const fence = /^( *)(`{3,})(.*)$/.exec(lines[at]!);
    if (fence === null) continue;
    const [, indent, ticks, info] = fence as unknown as [string, string, string, string];
    const start = at;
    const body: string[] = [];
    while (++at < lines.length && lines[at]!.trim() !== ticks) body.push(withoutIndent(lines[at]!, indent));
    if (at === lines.length) throw new Error(`line ${start + 1}: the block has no end`);
    const block = blockFrom(start + 1, info.trim().split(/\s+/), `${body.join('\n')}\n`);
    if (block !== undefined) blocks.push(block);
  }
  return blocks;
}

function withoutIndent(line: string, indent: string): string {
  return line.startsWith(indent) ? line.slice(indent.length) : line;
}

function blockFrom(line: number, [language, ...words]: string[], text: string): Block | undefined {
  const file = words.find((word) => word.startsWith('file='))?.slice('file='.length);
  const others = words.filter((word) => !word.startsWith('file='));
  if (others.length > 1) throw new Error(`line ${line}: ${JSON.stringify(others)} is more than one word`);
  const make = (kind: Block['kind']): Block => ({ line, kind, file, text });
  const [word] = others;
  if (word === undefined) return file === undefined ? undefined : make('file');
  if (language === 'sh' && word === 'check') return undefined;
  if (language === 'json' && word === 'manifest') return make('manifest');
  if (language === 'sh' && (word === 'run' || word === 'tour')) return make(word);
  if (language === 'text' && word === 'output') return make('output');
  throw new Error(`line ${line}: a block cannot be "${language} ${word}"`);
}

/** A pattern of what the block should print: each `…` stands for any text, lines included. */
export function patternFromOutput(expected: string): RegExp {
  const parts = expected.trimEnd().split(/(\n?…\n?)/);
  const source = parts.map((part) =>
    part.includes('…') ? '[^]*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
  );
  return new RegExp(`^${source.join('')}$`);
}
