/** Holds the path of its log in a process that was started to run in the background. */
export const LOG_FILE = 'ACHERON_BACKGROUND_LOG';

/** The file that the log of this process goes to, where that is kept small by this process itself. */
export function ownLogFile(): string | null {
  return process.env[LOG_FILE] ?? null;
}
