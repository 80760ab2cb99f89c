import { FsError } from '../../core/index.js';
import { jsonTextAt } from '../json-text.js';

/** What Linux takes as one argument, bytes without the NUL at its end (MAX_ARG_STRLEN). */
export const MAX_ARGUMENT_BYTES = 32 * 4096 - 1;

const PLACEHOLDER = /\{payload\.([^{}]+)\}/g;

/** True when arguments depend on the request, so that no process can be started before it is known. */
export function hasPlaceholders(args: readonly string[]): boolean {
  return args.some((arg) => arg.search(PLACEHOLDER) !== -1);
}

/**
 * The arguments with each `{payload.<path>}` replaced by what the request has at that path (`a.b.0`): a
 * string as it is, anything else as its JSON text. An argument stays one argument whatever the value.
 *
 * @throws FsError EINVAL when the request has nothing there, or what it has cannot be an argument: it
 * contains NUL, half of a surrogate pair, or begins with `-` where `allowDash` is false; E2BIG when an argument
 * is longer than the system takes.
 */
export function argsFromPayload(
  args: readonly string[],
  payload: Uint8Array,
  allowDash: boolean,
): readonly string[] {
  if (!hasPlaceholders(args)) return args;
  const json = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8');
  return args.map((arg) => {
    const filled = arg.replace(PLACEHOLDER, (_all, path: string) => argumentAt(json, path, allowDash));
    checkArgument(filled, JSON.stringify(arg));
    return filled;
  });
}

/** @throws FsError E2BIG; `name` is what the caller knows it by. */
export function checkArgument(arg: string, name: string): void {
  const bytes = Buffer.byteLength(arg);
  if (bytes <= MAX_ARGUMENT_BYTES) return;
  throw new FsError(
    'E2BIG',
    `The argument ${name} would be ${bytes} bytes long; one holds ${MAX_ARGUMENT_BYTES}.`,
    {
      hint: 'Send shorter values. A service reads longer ones from its standard input, where it gets the whole request.',
    },
  );
}

function argumentAt(json: string, path: string, allowDash: boolean): string {
  const text = jsonTextAt(json, path.split('.'));
  const field = JSON.stringify(path);
  if (text === undefined)
    throw new FsError('EINVAL', `The request has no ${field}, which the driver's command line needs.`, {
      hint: `Add ${field} to the request.`,
    });
  const value = text.startsWith('"') ? (JSON.parse(text) as string) : text;
  if (value.includes('\0'))
    throw new FsError('EINVAL', `${field} contains a NUL character, which no argument can hold.`, {
      hint: 'Send it without \\u0000.',
    });
  if (/\p{Surrogate}/u.test(value))
    throw new FsError('EINVAL', `${field} contains half of a surrogate pair, which no argument can hold.`, {
      hint: 'Send well-formed Unicode text.',
    });
  if (value.startsWith('-') && !allowDash)
    throw new FsError('EINVAL', `${field} begins with "-", which the program could take for an option.`, {
      hint: 'Send a value that does not begin with "-" (the manifest can allow it by "allow_dash": true).',
    });
  return value;
}
