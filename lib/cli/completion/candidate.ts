/** The first word of what the scripts of `acheron completion` ask: `acheron __complete -- WORD…`, the last of them at the cursor. */
export const COMPLETE = '__complete';

/** What may stand at the cursor. */
export interface Candidate {
  readonly value: string;
  readonly about?: string | undefined;
}

/** What a shell offers: words of ours, or its own files or directories. */
export interface Completion {
  readonly kind: 'words' | 'files' | 'dirs';
  readonly candidates: readonly Candidate[];
}

export const FILES: Completion = { kind: 'files', candidates: [] };
export const DIRS: Completion = { kind: 'dirs', candidates: [] };

export const wordsOf = (candidates: readonly Candidate[]): Completion => ({ kind: 'words', candidates });

export const plainWords = (values: readonly string[]): Completion =>
  wordsOf(values.map((value) => ({ value })));

/** The same with text before each: `--role=` before `user`. */
export function withHead(head: string, { kind, candidates }: Completion): Completion {
  return { kind, candidates: candidates.map(({ value, about }) => ({ value: `${head}${value}`, about })) };
}
