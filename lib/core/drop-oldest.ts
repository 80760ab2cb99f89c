/** Lets go of what was put in first where that is one more than the `max` that may be kept. */
export function dropOldest<Key>(kept: Map<Key, unknown> | Set<Key>, max: number): void {
  if (kept.size <= max) return;
  const oldest = kept.keys().next();
  if (oldest.done !== true) kept.delete(oldest.value);
}
