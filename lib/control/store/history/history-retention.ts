/** How much is kept of what services were. What runs is always kept, and is not counted. */
export interface HistoryRetention {
  /** Changes of one service. */
  readonly maxChanges: number;
  readonly maxAgeMs: number;
  /** Of all services together, shared fairly among the nodes. */
  readonly maxBytes: number;
}

export const DEFAULT_HISTORY_RETENTION: HistoryRetention = {
  maxChanges: 128,
  maxAgeMs: 365 * 24 * 60 * 60 * 1000,
  maxBytes: 256 * 1024 * 1024,
};
