import type { JSX } from 'preact';
import type { DiffRow, Side } from '../model/diff-rows.js';

interface Props {
  readonly label: string;
  readonly before: string;
  readonly after: string;
  readonly rows: readonly DiffRow[];
}

/** Two texts side by side; a sign beside each line says what became of it, so that no colour need be seen. */
export function DiffTable({ label, before, after, rows }: Props): JSX.Element {
  if (rows.length === 0) return <p class="faint">The texts are the same.</p>;
  return (
    <div class="wide" role="group" aria-label={label} tabIndex={0}>
      <table class="diff">
        <colgroup>
          {['number', 'sign', 'text', 'number', 'sign', 'text'].map((what, at) => (
            <col key={at} class={`diff-col-${what}`} />
          ))}
        </colgroup>
        <thead>
          <tr>
            <th scope="col" colSpan={3}>
              {before}
            </th>
            <th scope="col" colSpan={3}>
              {after}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ kind, before: old, after: now }, at) =>
            kind === 'gap' ? (
              <tr key={at} class="diff-gap">
                <td colSpan={6}>⋯ the same on both sides</td>
              </tr>
            ) : (
              <tr key={at} class={`diff-${kind}`}>
                <Half side={old} sign={kind === 'changed' && old !== null ? '−' : ''} look="removed" />
                <Half side={now} sign={kind === 'changed' && now !== null ? '+' : ''} look="added" />
              </tr>
            ),
          )}
        </tbody>
      </table>
    </div>
  );
}

function Half({
  side,
  sign,
  look,
}: {
  readonly side: Side | null;
  readonly sign: string;
  readonly look: 'added' | 'removed';
}): JSX.Element {
  const shade = sign === '' ? (side === null ? 'diff-none' : '') : `diff-${look}`;
  return (
    <>
      <td class={`diff-number ${shade}`}>{side?.line}</td>
      <td class={`diff-sign ${shade}`}>{sign}</td>
      <td class={`diff-text ${shade}`}>
        {side?.stretches.map(({ text, isMarked }, at) => (isMarked ? <mark key={at}>{text}</mark> : text))}
      </td>
    </>
  );
}
