export interface Finding {
  readonly check: string;
  readonly state: 'fine' | 'note' | 'broken';
  /** What was found, one sentence. */
  readonly what: string;
  /** What to do about it; null when there is nothing to do. */
  readonly remedy: string | null;
}

/** `remedy` counts only where something is to be mended. */
export function finding(
  check: string,
  state: Finding['state'],
  what: string,
  remedy: string | null = null,
): Finding {
  return { check, state, what, remedy: state === 'fine' ? null : remedy };
}
