import { makeAuthority, makeServerCertificate } from '../../lib/cli/auto-tls/make-certificates.js';

/** A certificate for `name`, and its key, PEM, by an authority that nobody knows. */
export async function certificateFor(name: string): Promise<{ readonly cert: string; readonly key: string }> {
  const now = Date.now();
  return makeServerCertificate(await makeAuthority('of a test', now), [name], now);
}
