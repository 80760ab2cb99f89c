import { InvalidArgumentError } from 'commander';

/** Where `acheron control` listens unless told otherwise. */
export const DEFAULT_CONTROL_URL = 'ws://127.0.0.1:18790';

/** `ws://host:port` or `wss://host:port`, as `ControlClient` takes it; http and https mean the same. */
export function controlUrlFrom(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const scheme = url === null ? undefined : SCHEMES.get(url.protocol);
  if (url === null || scheme === undefined || url.pathname !== '/' || url.search !== '')
    throw new InvalidArgumentError(`It must look like ${DEFAULT_CONTROL_URL} or wss://plane.example:18790.`);
  if (url.username !== '' || url.password !== '')
    throw new InvalidArgumentError('A token does not belong into an address: see --token-file.');
  return `${scheme}//${url.host}`;
}

const SCHEMES = new Map([
  ['ws:', 'ws:'],
  ['http:', 'ws:'],
  ['wss:', 'wss:'],
  ['https:', 'wss:'],
]);
