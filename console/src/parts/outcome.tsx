import type { JSX } from 'preact';

const MARKS: Readonly<Record<string, string>> = {
  added: '+',
  updated: '~',
  removed: '−',
  enabled: '●',
  disabled: '○',
  config: '⚙',
  kept: '=',
  unchanged: '=',
  refused: '✕',
  'last-good': '▲',
};
const WORDS: Readonly<Record<string, string>> = { 'last-good': 'refused, the older one runs on' };

/** What became of a manifest or a service, as a mark, a colour and words. */
export function Outcome({ outcome }: { readonly outcome: string }): JSX.Element {
  const known = Object.hasOwn(MARKS, outcome) ? outcome : 'other';
  return (
    <span class={`outcome outcome-${known}`}>
      <span aria-hidden="true">{MARKS[known] ?? '·'}</span>{' '}
      {Object.hasOwn(WORDS, outcome) ? WORDS[outcome] : outcome}
    </span>
  );
}
