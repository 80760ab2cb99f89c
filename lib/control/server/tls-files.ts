import { createSecureContext } from 'node:tls';
import { FsError, reasonOf } from '../../core/index.js';

export interface TlsFiles {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

/** The same files. @throws FsError EINVAL where they are no certificate and its key */
export function usableTls(tls: TlsFiles): TlsFiles {
  try {
    createSecureContext({ cert: tls.cert, key: tls.key });
    return { cert: tls.cert, key: tls.key };
  } catch (thrown) {
    throw new FsError('EINVAL', `The certificate and its key cannot be used: ${reasonOf(thrown)}.`, {
      hint: '--tls-cert and --tls-key name PEM files that belong to each other.',
      cause: thrown,
    });
  }
}
