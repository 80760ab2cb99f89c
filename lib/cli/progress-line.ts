import type { ShownProgress } from '../worldfs/index.js';
import { plain } from './harmless.js';
import { fitted, widthOf } from './text-width.js';

/** Between so many columns a bar is drawn. */
const LEAST_BAR = 8;
const MOST_BAR = 40;
/** A rate is known once it was watched for so long. */
const RATE_MS = 1500;

/** Where a job was, and when its driver said so. */
export interface Mark {
  readonly done: number;
  readonly atMs: number;
}

/** How far a job is, on one line of `columns`; empty where nothing was said. `since`: where it was at first. */
export function progressText(progress: ShownProgress, since: Mark | null, columns: number): string {
  const { done, total } = progress;
  if (done === null) return '';
  const message = progress.message === null ? '' : plain(progress.message);
  const rate = rateOf(progress, since);
  if (total === null) {
    const speed = rate === null ? '' : ` (${numberText(rate)}/s)`;
    return fitted([`${numberText(done)}${speed}`, message].filter(Boolean).join('  '), columns);
  }
  const part = Math.min(1, done / total);
  const percent = `${Math.floor(part * 100)}%`.padStart(4);
  const left = rate === null || rate <= 0 || done >= total ? '' : `${clockText((total - done) / rate)} left`;
  const words = [percent, message, left].filter(Boolean).join('  ');
  const room = columns - widthOf(words) - 3;
  if (room < LEAST_BAR) return fitted(words, columns);
  return `${barText(part, Math.min(room, MOST_BAR))} ${words}`;
}

/** `[====>    ]`, of `width` columns inside. */
export function barText(part: number, width: number): string {
  const filled = Math.min(width, Math.max(0, Math.floor(part * width)));
  const head = filled > 0 && filled < width ? '>' : '';
  return `[${'='.repeat(filled - head.length)}${head}${' '.repeat(width - filled)}]`;
}

/** Units a second since `since`; null while that is too short ago. */
function rateOf({ done, updated_at }: ShownProgress, since: Mark | null): number | null {
  if (done === null || updated_at === null || since === null) return null;
  const ms = Date.parse(updated_at) - since.atMs;
  return ms >= RATE_MS && done > since.done ? ((done - since.done) / ms) * 1000 : null;
}

function numberText(value: number): string {
  if (Number.isInteger(value) && value < 1e15) return String(value);
  return value >= 1e15 || value < 0.01 ? value.toPrecision(3) : value.toFixed(value < 10 ? 2 : 1);
}

function clockText(seconds: number): string {
  if (!(seconds < 100 * 3600)) return 'days';
  const whole = Math.ceil(seconds);
  const minutes = Math.floor(whole / 60);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}
