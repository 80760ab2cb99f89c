/** Where the web console is, on the port of the control plane. */
export const CONSOLE_PATH = '/console/';

/** The page of the console at a control plane, and the code that opens it, where no server sees it. */
export function consoleAddress(url: string, code: string): string {
  return `${url.replace(/^ws/, 'http')}${CONSOLE_PATH}#code=${code}`;
}
