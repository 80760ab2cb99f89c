import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Line, MountedPlot, PlotData } from '../plots/mount-plot.js';

interface Props {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
  readonly data: PlotData;
  /** The values are those of the time since the point before. */
  readonly isStepped?: boolean;
}

/** Lines over time. What they say last stands above them as text. */
export function Plot({ title, unit, lines, data, isStepped = false }: Props): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<MountedPlot | null>(null);
  const shown = useRef(data);
  shown.current = data;
  const [fault, setFault] = useState<string | null>(null);
  useEffect(() => {
    let isWanted = true;
    import('../plots/mount-plot.js').then(
      ({ mountPlot }) => {
        if (!isWanted || host.current === null) return;
        plot.current = mountPlot(host.current, lines, isStepped);
        plot.current.set(shown.current);
      },
      () => setFault('The plot could not be loaded. Load the page anew with a new link.'),
    );
    return () => {
      isWanted = false;
      plot.current?.close();
      plot.current = null;
    };
  }, []);
  useLayoutEffect(() => plot.current?.set(data), [data]);
  return (
    <figure class="plot">
      <figcaption>
        <strong>{title}</strong>
        {lines.map(({ label, colour, dash }, at) => (
          <span key={label} class="plot-line">
            <svg width="28" height="8" aria-hidden="true">
              <line
                x1="0"
                y1="4"
                x2="28"
                y2="4"
                stroke={`var(${colour})`}
                stroke-width="2"
                stroke-dasharray={dash.join(' ')}
              />
            </svg>{' '}
            {label} {lastOf(data.values[at] ?? [], unit)}
          </span>
        ))}
      </figcaption>
      {fault === null ? (
        <div class="plot-canvas" ref={host} aria-hidden="true" />
      ) : (
        <p class="failed">{fault}</p>
      )}
    </figure>
  );
}

function lastOf(values: readonly (number | null)[], unit: string): string {
  const value = values.findLast((one) => one !== null);
  if (value == null) return '–';
  return `${value >= 100 ? Math.round(value).toLocaleString('en') : Number(value.toPrecision(3))} ${unit}`;
}
