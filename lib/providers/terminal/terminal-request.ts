import { FsError, type JsonObject } from '../../core/index.js';
import { checkArgument } from '../../drivers/index.js';

/** A checked request to a terminal. */
export interface TerminalRequest {
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string | undefined;
  readonly maxOutputBytes: number | undefined;
}

/**
 * What the object in `payload` asks for. The schema of the service says the same; this holds where nobody has validated.
 * @throws FsError EINVAL; E2BIG for an argument that no command line holds
 */
export function terminalRequestFrom(payload: Uint8Array): TerminalRequest {
  const input = JSON.parse(Buffer.from(payload).toString()) as JsonObject;
  const { command, argv, cwd, max_output_bytes: maxOutputBytes } = input;
  if ((command === undefined) === (argv === undefined)) throw invalid('Give either "command" or "argv".');
  if (cwd !== undefined && !isText(cwd)) throw invalid('"cwd" must be the name of a directory.');
  if (
    maxOutputBytes !== undefined &&
    !(typeof maxOutputBytes === 'number' && Number.isInteger(maxOutputBytes) && maxOutputBytes > 0)
  )
    throw invalid('"max_output_bytes" must be a positive integer.');
  if (command !== undefined) {
    if (!isText(command)) throw invalid('"command" must be a text without NUL.');
    checkArgument(command, '"command"');
    return { argv: ['/bin/sh', '-c', command], cwd, maxOutputBytes };
  }
  if (!Array.isArray(argv) || argv.length === 0 || argv[0] === '' || !argv.every(isText))
    throw invalid('"argv" must be a list of texts without NUL, the program first.');
  for (const [at, arg] of argv.entries()) checkArgument(arg, `"argv"[${at}]`);
  return { argv: argv as unknown as readonly [string, ...string[]], cwd, maxOutputBytes };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0');
}

function invalid(message: string): FsError {
  return new FsError('EINVAL', message, {
    hint: 'For example {"command":"ls | wc -l"} or {"argv":["ls","-l"],"cwd":"/tmp"}.',
  });
}
