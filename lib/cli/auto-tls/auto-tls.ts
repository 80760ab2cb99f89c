import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { TlsFiles } from '../../control/index.js';
import { FsError, type Log } from '../../core/index.js';
import { makePrivateDir, openStateDir, replaceFile } from '../../disk/index.js';
import type { Certified } from './make-certificates.js';

/** A certificate is made anew when a third of its time is left. */
const LEFT = 1 / 3;
const LOOK_MS = 60 * 60 * 1000;

const tlsDir = (stateDir: string): string => join(stateDir, 'tls');

/** The certificate of the authority of the control plane with this state directory, PEM; undefined where it has none. */
export function ownAuthority(stateDir: string): string | undefined {
  const path = join(tlsDir(stateDir), 'ca.crt');
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** As `openssl x509 -fingerprint -sha256` prints it. */
export const fingerprintOf = (cert: string): string => new X509Certificate(cert).fingerprint256;

export interface AutoTlsOptions {
  readonly stateDir: string;
  /** Names besides those of this machine. */
  readonly names: readonly string[];
  readonly log: Log;
  readonly now?: () => number;
}

/** The certificates that a control plane makes for itself: an authority once, and what it listens with, again and again. */
export class AutoTls {
  readonly authority: Certified;
  readonly #options: AutoTlsOptions;
  readonly #dir: string;
  #server: Certified;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: AutoTlsOptions, authority: Certified, server: Certified) {
    this.#options = options;
    this.#dir = tlsDir(options.stateDir);
    this.authority = authority;
    this.#server = server;
  }

  /** Takes what is in the state directory, and makes what is not. @throws FsError EIO where that is damaged */
  static async open(options: AutoTlsOptions): Promise<AutoTls> {
    const { makeAuthority } = await import('./make-certificates.js');
    const dir = tlsDir(options.stateDir);
    openStateDir(options.stateDir, (name) => name === 'tls');
    makePrivateDir(dir);
    const now = options.now?.() ?? Date.now();
    const authority = kept(dir, 'ca') ?? keep(dir, 'ca', await makeAuthority(hostname(), now));
    const made = new AutoTls(options, authority, kept(dir, 'server') ?? { cert: '', key: '' });
    await made.renew();
    return made;
  }

  get tls(): TlsFiles {
    return this.#server;
  }

  /** Makes another certificate where the present one ends soon, or lacks a name; answers whether it did. */
  async renew(): Promise<boolean> {
    const now = this.#options.now?.() ?? Date.now();
    const names = namesOf(this.#options.names);
    if (isGood(this.#server.cert, names, now)) return false;
    const { makeServerCertificate } = await import('./make-certificates.js');
    this.#server = keep(this.#dir, 'server', await makeServerCertificate(this.authority, names, now));
    return true;
  }

  /** Looks every hour whether it is time, and hands over what was made. */
  renewInTime(use: (tls: TlsFiles) => void): void {
    this.#timer = setInterval(() => {
      this.renew().then(
        (isNew) => {
          if (!isNew) return;
          use(this.tls);
          this.#options.log.info('The certificate was renewed.', { until: untilOf(this.#server.cert) });
        },
        (thrown: unknown) =>
          this.#options.log.error('The certificate could not be renewed.', {
            error: FsError.from(thrown).message,
            until: untilOf(this.#server.cert),
          }),
      );
    }, LOOK_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

const untilOf = (cert: string): string => new Date(new X509Certificate(cert).validTo).toISOString();

function isGood(text: string, names: readonly string[], nowMs: number): boolean {
  if (text === '') return false;
  const cert = new X509Certificate(text);
  const [from, to] = [Date.parse(cert.validFrom), Date.parse(cert.validTo)];
  const isFresh = nowMs >= from && to - nowMs > (to - from) * LEFT;
  return isFresh && names.every((name) => (isIP(name) === 0 ? cert.checkHost(name) : cert.checkIP(name)));
}

/** By which others may call this machine. */
function namesOf(more: readonly string[]): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((one) => one ?? [])
    // An address of one link means nothing without the name of that link.
    .filter(({ scopeid }) => scopeid === undefined || scopeid === 0)
    .map(({ address }) => address);
  return [...new Set([hostname(), 'localhost', '127.0.0.1', '::1', ...more, ...addresses])];
}

function kept(dir: string, name: string): Certified | undefined {
  const [cert, key] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)];
  if (!existsSync(cert) || !existsSync(key)) return undefined;
  const found = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  try {
    fingerprintOf(found.cert);
    return found;
  } catch (thrown) {
    throw new FsError('EIO', `The certificate ${cert} is damaged.`, {
      path: cert,
      hint: 'Restore it from a backup. Without one, remove the folder it is in: another authority is made, and nodes have to be told of it.',
      cause: thrown,
    });
  }
}

function keep(dir: string, name: string, made: Certified): Certified {
  replaceFile(join(dir, `${name}.key`), made.key);
  replaceFile(join(dir, `${name}.crt`), made.cert);
  return made;
}
