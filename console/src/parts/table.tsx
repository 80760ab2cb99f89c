import type { ComponentChildren, JSX } from 'preact';

interface Props {
  readonly label: string;
  readonly titles: readonly string[];
  readonly rows: readonly { readonly key: string; readonly cells: readonly ComponentChildren[] }[];
  readonly empty: string;
}

/** A table that scrolls by itself where it is too wide. */
export function Table({ label, titles, rows, empty }: Props): JSX.Element {
  if (rows.length === 0) return <p class="faint">{empty}</p>;
  return (
    <div class="wide" role="group" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {titles.map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells }) => (
            <tr key={key}>
              {cells.map((cell, at) => (
                <td key={titles[at]}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
