import type { Frame } from './socket.js';

/** What a server answered in place of a reply, in the words that it said it with. */
export class Fault extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, hint?: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }

  static lost(): Fault {
    return new Fault(
      'EHOSTDOWN',
      'The connection was lost before an answer came.',
      'It is tried again by itself.',
    );
  }

  static from(thrown: unknown): Fault {
    if (thrown instanceof Fault) return thrown;
    return new Fault('EIO', thrown instanceof Error ? thrown.message : String(thrown));
  }
}

export function faultFromFrame({ error }: Frame): Fault {
  const code = error?.code ?? (error?.errno === undefined ? 'EIO' : `errno ${error.errno}`);
  return new Fault(code, error?.message ?? 'It was refused.', error?.hint);
}
