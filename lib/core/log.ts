/** Where a room reports what an operator should know. Composition roots decide where it goes. */
export interface Log {
  debug(message: string, facts?: LogFacts): void;
  info(message: string, facts?: LogFacts): void;
  warn(message: string, facts?: LogFacts): void;
  error(message: string, facts?: LogFacts): void;
}

/** Details of a log line. Never a payload, a token or a secret. */
export type LogFacts = Readonly<Record<string, unknown>>;

/** How much a process logs, which can be changed while it runs. */
export interface LogLevelControl {
  /** From all to nothing. */
  readonly levels: readonly string[];
  current(): string;
  /** Takes one of `levels`. */
  change(level: string): void;
}

const nothing = (): void => undefined;

/** Says nothing; for tests and for callers that have no log. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
