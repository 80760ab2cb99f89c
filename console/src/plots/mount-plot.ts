import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Line {
  readonly label: string;
  readonly colour: string;
  /** In pixels, drawn and left out in turn; empty: drawn throughout. */
  readonly dash: readonly number[];
}

export interface PlotData {
  readonly timesMs: readonly number[];
  /** For each line its values at those times; null: none. */
  readonly values: readonly (readonly (number | null)[])[];
}

export interface MountedPlot {
  set(data: PlotData): void;
  close(): void;
}

const HEIGHT_PX = 150;
const MS_PER_S = 1000;
const LEAST_SPAN_S = 60;

/** UTC, as all times of the page. */
const clockOf = (atS: number): string => new Date(atS * MS_PER_S).toISOString().slice(11, 19);

/** Lines over time in `host`, as wide as it is, in the colours of the theme. */
export function mountPlot(host: HTMLElement, lines: readonly Line[], isStepped: boolean): MountedPlot {
  const colourOf = (name: string) => (): string => getComputedStyle(host).getPropertyValue(name);
  const axis = {
    stroke: colourOf('--faint'),
    grid: { stroke: colourOf('--line'), width: 1 },
    ticks: { show: false },
  };
  const { stepped } = uPlot.paths;
  const plot = new uPlot(
    {
      width: Math.max(host.clientWidth, 1),
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: (_, least, most) => [Math.min(least, most - LEAST_SPAN_S), most] },
        y: { range: (_, __, most) => [0, Math.max(most, 1) * 1.1] },
      },
      axes: [
        { ...axis, values: (_, times) => times.map(clockOf) },
        { ...axis, size: 56 },
      ],
      series: [
        {},
        ...lines.map(({ label, colour, dash }): uPlot.Series => ({
          label,
          stroke: colourOf(colour),
          width: 1.5,
          dash: [...dash],
          points: { size: 5 },
          ...(isStepped && stepped !== undefined ? { paths: stepped({ align: -1 }) } : {}),
        })),
      ],
    },
    aligned({ timesMs: [], values: lines.map(() => []) }),
    host,
  );
  const sized = new ResizeObserver(() => {
    if (host.clientWidth > 0) plot.setSize({ width: host.clientWidth, height: HEIGHT_PX });
  });
  sized.observe(host);
  const theme = matchMedia('(prefers-color-scheme: dark)');
  const redraw = (): void => plot.redraw(false);
  theme.addEventListener('change', redraw);
  return {
    set: (data) => plot.setData(aligned(data)),
    close: () => {
      sized.disconnect();
      theme.removeEventListener('change', redraw);
      plot.destroy();
    },
  };
}

function aligned({ timesMs, values }: PlotData): uPlot.AlignedData {
  return [timesMs.map((ms) => ms / MS_PER_S), ...values.map((one) => [...one])];
}
