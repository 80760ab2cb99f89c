import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { FsError } from '../core/index.js';
import { addressesIn } from '../transport/index.js';

/** Where `acheron control` listens by default. */
export const DEFAULT_CONTROL_URL = 'ws://127.0.0.1:18790';

/** One address, or several with commas between, as `ControlClient` takes them. */
export function controlUrlsFrom(text: string): string {
  const urls = addressesIn(text).map(controlUrlFrom);
  if (urls.length === 0) throw new InvalidArgumentError(`It must look like ${DEFAULT_CONTROL_URL}.`);
  if (urls.length > MOST_ADDRESSES)
    throw new InvalidArgumentError(`There may be ${MOST_ADDRESSES} addresses at most.`);
  return [...new Set(urls)].join(',');
}

/** `ws://host:port` or `wss://host:port`; http and https mean the same. */
export function controlUrlFrom(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const scheme = url === null ? undefined : SCHEMES.get(url.protocol);
  if (url === null || scheme === undefined || url.pathname !== '/' || url.search !== '')
    throw new InvalidArgumentError(`It must look like ${DEFAULT_CONTROL_URL} or wss://plane.example:18790.`);
  if (url.username !== '' || url.password !== '')
    throw new InvalidArgumentError('A token does not belong into an address: see --token-file.');
  return `${scheme}//${url.host}`;
}

const MOST_ADDRESSES = 32;

const SCHEMES = new Map([
  ['ws:', 'ws:'],
  ['http:', 'ws:'],
  ['wss:', 'wss:'],
  ['https:', 'wss:'],
]);

const fileIn = (stateDir: string): string => join(stateDir, 'control.url');

/** Keeps where the control plane of this state directory listens, for the commands that use it. */
export function keepControlUrl(stateDir: string, url: string): void {
  writeFileSync(fileIn(stateDir), `${url}\n`, { mode: 0o600 });
}

export function forgetControlUrl(stateDir: string): void {
  rmSync(fileIn(stateDir), { force: true });
}

/** Where the control plane of this state directory listens; else where one listens by default. */
export function knownControlUrl(stateDir: string): string {
  try {
    return readFileSync(fileIn(stateDir), 'utf8').trim() || DEFAULT_CONTROL_URL;
  } catch (thrown) {
    if (FsError.from(thrown).code === 'ENOENT') return DEFAULT_CONTROL_URL;
    throw FsError.from(thrown);
  }
}
