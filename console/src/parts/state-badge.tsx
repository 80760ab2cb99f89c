import type { JSX } from 'preact';

const MARKS = new Map([
  ['online', '●'],
  ['ok', '✓'],
  ['running', '▶'],
  ['queued', '…'],
  ['degraded', '▲'],
  ['offline', '○'],
  ['error', '✕'],
  ['timeout', '✕'],
  ['cancelled', '–'],
  ['rejected', '✕'],
]);

/** A state as a mark, a colour and a word: none of them alone. */
export function StateBadge({ state }: { readonly state: string }): JSX.Element {
  const known = MARKS.has(state) ? state : 'other';
  return (
    <span class={`state state-${known}`}>
      <span aria-hidden="true">{MARKS.get(state) ?? '◦'}</span> {state}
    </span>
  );
}
