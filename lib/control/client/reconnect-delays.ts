export interface ReconnectDelays {
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
}

/** Those of the two that were said, so that what was not stays as it is by default. */
export function reconnectDelays({ minDelayMs, maxDelayMs }: ReconnectDelays): ReconnectDelays {
  return {
    ...(minDelayMs === undefined ? {} : { minDelayMs }),
    ...(maxDelayMs === undefined ? {} : { maxDelayMs }),
  };
}
