import { diffWordsWithSpace, parsePatch, structuredPatch, type StructuredPatchHunk } from 'diff';

/** A stretch of a line: marked where it differs from the line beside it. */
export interface Stretch {
  readonly text: string;
  readonly isMarked: boolean;
}

export interface Side {
  readonly line: number;
  readonly stretches: readonly Stretch[];
}

/** One row of two texts side by side. `gap`: lines that are the same on both sides were left out before it. */
export interface DiffRow {
  readonly kind: 'same' | 'changed' | 'gap';
  readonly before: Side | null;
  readonly after: Side | null;
}

/** More lines than anybody compares one by one: what differs in more is shown as all removed, then all added. */
const MAX_EDIT_LINES = 2000;
/** Longer lines are marked as a whole. */
const MAX_MARKED_CHARS = 1000;

/** Two texts side by side, with `context` lines around what differs. Empty where they are the same. */
export function rowsOfTexts(before: string, after: string, context: number): readonly DiffRow[] {
  if (before === after) return [];
  const patch = structuredPatch('', '', before, after, '', '', { context, maxEditLength: MAX_EDIT_LINES });
  return patch === undefined ? allAnew(before, after) : rowsOfHunks(patch.hunks);
}

/** The same of a unified diff. */
export function rowsOfDiff(diff: string): readonly DiffRow[] {
  return diff === '' ? [] : parsePatch(diff).flatMap(({ hunks }) => rowsOfHunks(hunks));
}

function rowsOfHunks(hunks: readonly StructuredPatchHunk[]): readonly DiffRow[] {
  return hunks.flatMap((hunk) => {
    let [old, now] = [hunk.oldStart, hunk.newStart];
    const rows: DiffRow[] = old > 1 || now > 1 ? [{ kind: 'gap', before: null, after: null }] : [];
    let removed: string[] = [];
    let added: string[] = [];
    const flush = (): void => {
      const count = Math.max(removed.length, added.length);
      for (let at = 0; at < count; at++) rows.push(pairOf(removed[at], added[at], old + at, now + at));
      old += removed.length;
      now += added.length;
      [removed, added] = [[], []];
    };
    for (const line of hunk.lines) {
      const text = line.slice(1);
      if (line.startsWith('-')) removed.push(text);
      else if (line.startsWith('+')) added.push(text);
      else if (line.startsWith(' ')) {
        flush();
        rows.push({ kind: 'same', before: plain(old++, text), after: plain(now++, text) });
      }
    }
    flush();
    return rows;
  });
}

const plain = (line: number, text: string): Side => ({ line, stretches: [{ text, isMarked: false }] });

function pairOf(removed: string | undefined, added: string | undefined, old: number, now: number): DiffRow {
  if (removed === undefined || added === undefined || removed.length + added.length > MAX_MARKED_CHARS)
    return {
      kind: 'changed',
      before: removed === undefined ? null : plain(old, removed),
      after: added === undefined ? null : plain(now, added),
    };
  const words = diffWordsWithSpace(removed, added);
  const side = (leaveOut: 'added' | 'removed'): Stretch[] =>
    words
      .filter((word) => !word[leaveOut])
      .map(({ value, added: isNew, removed: isOld }) => ({ text: value, isMarked: isNew || isOld }));
  return {
    kind: 'changed',
    before: { line: old, stretches: side('added') },
    after: { line: now, stretches: side('removed') },
  };
}

function allAnew(before: string, after: string): readonly DiffRow[] {
  const lines = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));
  return [
    ...lines(before).map((text, at): DiffRow => ({
      kind: 'changed',
      before: plain(at + 1, text),
      after: null,
    })),
    ...lines(after).map((text, at): DiffRow => ({
      kind: 'changed',
      before: null,
      after: plain(at + 1, text),
    })),
  ];
}
