import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FsError, reasonOf } from '../core/index.js';
import { readGivenSecret } from '../disk/index.js';
import { finding, type Finding } from './finding.js';

const OF_STATE = ['admin.token', 'user.token', 'node.json', 'tls/ca.key', 'tls/server.key'];
const DAY_MS = 24 * 60 * 60 * 1000;
const SOON_MS = 14 * DAY_MS;

/** Whether others can read what proves who we are: of the state directory, and as options name it. */
export function secretFiles(stateDir: string, named: readonly string[]): Finding[] {
  const kept = OF_STATE.map((name) => join(stateDir, name)).filter((path) => existsSync(path));
  const faults = [...kept, ...named].flatMap(secretFile);
  if (faults.length > 0) return faults;
  return kept.length + named.length === 0
    ? []
    : [finding('secrets', 'fine', 'Nobody else can read tokens and keys.')];
}

function secretFile(path: string): Finding[] {
  try {
    readGivenSecret(path);
    return [];
  } catch (thrown) {
    const own = FsError.is(thrown) ? thrown : undefined;
    return [
      finding(
        'secrets',
        'broken',
        own?.message ?? `${path} cannot be read: ${reasonOf(thrown)}.`,
        own?.hint ?? 'Name a file that this user may read, or run doctor as who uses it.',
      ),
    ];
  }
}

/** How long certificates are good: those named, and those that a control plane made for itself (--tls-auto). */
export function certificates(stateDir: string, named: readonly string[], nowMs = Date.now()): Finding[] {
  const own = ['tls/server.crt', 'tls/ca.crt']
    .map((name) => join(stateDir, name))
    .filter((path) => existsSync(path));
  return [
    ...named.map((path) =>
      certificate(path, nowMs, 'Have it renewed, and reload what uses it (systemctl reload, SIGHUP).'),
    ),
    ...own.map((path) =>
      certificate(
        path,
        nowMs,
        'A control plane that runs with --tls-auto renews it by itself: start it, and look at its log.',
      ),
    ),
  ];
}

function certificate(path: string, nowMs: number, remedy: string): Finding {
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(readFileSync(path));
  } catch (thrown) {
    return finding(
      'certificate',
      'broken',
      `${path} is no certificate that can be read: ${reasonOf(thrown)}.`,
      'Name a file with a certificate, PEM.',
    );
  }
  return endOf(path, Date.parse(parsed.validFrom), Date.parse(parsed.validTo), { nowMs, remedy });
}

/** What there is to say of something that is good for a time. */
export function endOf(
  name: string,
  fromMs: number,
  toMs: number,
  { nowMs, remedy }: { readonly nowMs: number; readonly remedy: string },
): Finding {
  const until = new Date(toMs).toISOString();
  if (nowMs < fromMs)
    return finding(
      'certificate',
      'broken',
      `The certificate ${name} is good only from ${new Date(fromMs).toISOString()} on.`,
      'Look at the clock of this machine.',
    );
  if (nowMs >= toMs)
    return finding('certificate', 'broken', `The certificate ${name} ended at ${until}.`, remedy);
  if (toMs - nowMs < SOON_MS)
    return finding(
      'certificate',
      'note',
      `The certificate ${name} ends in ${Math.ceil((toMs - nowMs) / DAY_MS)} days, at ${until}.`,
      remedy,
    );
  return finding('certificate', 'fine', `The certificate ${name} is good until ${until}.`);
}
