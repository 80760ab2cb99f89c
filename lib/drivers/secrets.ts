import { FsError } from '../core/index.js';
import { readGivenSecret } from '../disk/index.js';
import type { SecretSource } from '../manifest/index.js';
import { percentEncoded } from './http/percent-encode.js';

/** Shorter ones would be found everywhere. */
const LEAST_LENGTH = 6;
/** Of secrets that change, the latest count. */
const MAX_HIDDEN = 256;
const SHOWN = '[secret]';

/**
 * Secrets that a manifest names: read for each call, so that a new one counts at once, and never shown: what goes out
 * to callers and logs passes `redacted`.
 */
export class Secrets {
  readonly #env: Readonly<Record<string, string>>;
  readonly #hidden = new Set<string>();

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
  }

  /** @throws FsError EIO, which names the variable or file and nothing of what it holds */
  read(source: SecretSource): string {
    const name = 'env' in source ? `the variable ${source.env}` : source.file;
    const secret = 'env' in source ? this.#variable(source.env) : secretInFile(source.file);
    if (secret === '')
      throw new FsError('EIO', `The secret in ${name} is empty.`, {
        hint: 'Put it there; nothing else need change.',
      });
    // eslint-disable-next-line no-control-regex -- to refuse them is the point
    if (/[\u0000-\u001f\u007f]/.test(secret))
      throw new FsError('EIO', `The secret in ${name} has a control character, which none can have.`, {
        hint: 'Write it on one line, alone.',
      });
    this.hide(secret);
    return secret;
  }

  /** What is derived of a secret (a token, a pair in base64) is one as well. */
  hide(secret: string): void {
    if (secret.length < LEAST_LENGTH) return;
    const [oldest] = this.#hidden;
    if (this.#hidden.size > MAX_HIDDEN && oldest !== undefined) this.#hidden.delete(oldest);
    this.#hidden.add(secret);
    this.#hidden.add(JSON.stringify(secret).slice(1, -1));
    this.#hidden.add(encodeURIComponent(secret));
    this.#hidden.add(percentEncoded(secret));
  }

  /** The text without secrets that have been read. */
  redacted(text: string): string {
    let shown = text;
    for (const secret of this.#hidden) if (shown.includes(secret)) shown = shown.replaceAll(secret, SHOWN);
    return shown;
  }

  /** The same of bytes, which stay as they are where there is none. */
  redactedBytes(bytes: Buffer): Buffer {
    for (const secret of this.#hidden)
      if (bytes.includes(secret)) return Buffer.from(this.redacted(bytes.toString('utf8')));
    return bytes;
  }

  #variable(name: string): string {
    const value = Object.hasOwn(this.#env, name) ? this.#env[name] : process.env[name];
    if (value !== undefined) return value;
    throw new FsError(
      'EIO',
      `The variable ${name}, which should hold a secret of this service, is not set.`,
      {
        hint: `Set ${name} in the environment of the node and start it anew, or name a file in the manifest.`,
      },
    );
  }
}

function secretInFile(path: string): string {
  try {
    return readGivenSecret(path).replace(/\r?\n$/, '');
  } catch (thrown) {
    const { code, message, hint } = FsError.from(thrown);
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
    throw new FsError(
      'EIO',
      isMissing ? `The file ${path}, which should hold a secret of this service, is not there.` : message,
      { hint: hint ?? `Put the secret into ${path}, mode 0600.`, cause: thrown },
    );
  }
}
