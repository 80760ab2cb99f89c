import type { JSX } from 'preact';

/** A time in UTC, to the second. */
export function Time({ ms }: { readonly ms: number }): JSX.Element {
  const iso = new Date(ms).toISOString();
  return (
    <time class="time" dateTime={iso}>
      {iso.replace('T', ' ').slice(0, 19)}
    </time>
  );
}
