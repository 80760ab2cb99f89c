/** Where a process of a test runs. */
export interface Host {
  /** Where others reach it. */
  readonly address: string;
  /** A command that runs what stands behind it there. */
  readonly by: readonly string[];
}

/** This machine as it is. */
export const HERE: Host = { address: '127.0.0.1', by: [] };
