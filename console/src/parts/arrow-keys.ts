const STEPS: Readonly<Record<string, readonly [across: number, down: number]>> = {
  ArrowDown: [0, 1],
  ArrowUp: [0, -1],
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
};
const FIELDS = 'input, textarea, select, [contenteditable]';

/** Arrow keys, Home and End lead through the links and buttons of a list, or of a grid with so many `columns`. */
export function moveByArrows(event: KeyboardEvent, columns = 1): void {
  const { key, target, currentTarget } = event;
  if (!(target instanceof HTMLElement) || !(currentTarget instanceof HTMLElement)) return;
  if (event.altKey || event.ctrlKey || event.metaKey || target.closest(FIELDS) !== null) return;
  const stops = [...currentTarget.querySelectorAll<HTMLElement>('a[href], button:not(:disabled)')];
  const at = stops.indexOf(target);
  if (at < 0) return;
  const next = nextOf(key, at, stops.length, columns);
  if (next === null) return;
  event.preventDefault();
  stops[next]?.focus();
}

function nextOf(key: string, at: number, count: number, columns: number): number | null {
  if (key === 'Home') return 0;
  if (key === 'End') return count - 1;
  if (!Object.hasOwn(STEPS, key)) return null;
  const [across, down] = STEPS[key] ?? [0, 0];
  // A list goes one way: along it and across it is the same.
  const next = at + (columns === 1 ? across + down : across + down * columns);
  return next >= 0 && next < count ? next : null;
}
