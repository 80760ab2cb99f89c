import { join } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';
import { ControlClient } from '../lib/control/index.js';
import { program } from './acheron.js';
import type { Bench } from './bench.js';
import { freshDir } from './mounts.js';
import { serve, type ServedProcess } from './served.js';
import { plainEnvironment } from './tools.js';

/** A control plane of its own, as a process. */
export interface ServedPlane extends ServedProcess {
  readonly url: string;
}

/** `acheron control` with its state in `state`; port 0 picks one. */
export async function startControl(
  state: string,
  port = '0',
  ...more: readonly string[]
): Promise<ServedPlane> {
  let url = '';
  const args = [program, 'control', '--port', port, '--state-dir', state, ...more];
  const served = await serve(
    state,
    process.execPath,
    args,
    (line) => (url ||= /ws:\/\/[\d.]+:\d+/.exec(line)?.[0] ?? '') !== '',
    plainEnvironment(),
  );
  return { ...served, url };
}

/** `acheron mount` of what the plane shows to an admin. */
export function mountPlane(bench: Bench, url: string, tokenFile: string): Promise<ServedProcess> {
  const dir = freshDir(bench);
  const args = [program, 'mount', dir, '--control-url', url, '--token-file', tokenFile];
  args.push('--state-dir', `${dir}-state`);
  return serve(dir, process.execPath, args, (line) => line.includes(dir), plainEnvironment());
}

/** `acheron node` under the name `name`, with an invite of an admin's; ready when its services can be reached. */
export async function startNode(
  bench: Bench,
  url: string,
  tokenFile: string,
  name: string,
  ...more: readonly string[]
): Promise<ServedProcess> {
  const state = freshDir(bench);
  const admin = new ControlClient({ url, token: readFileSync(tokenFile, 'utf8').trim() }).start();
  try {
    await admin.ready();
    const { invite_token } = await admin.request('node_invite_create', {});
    const inviteFile = `${state}-invite`;
    writeFileSync(inviteFile, invite_token, { mode: 0o600 });
    const pairing = ['--pair-mode', 'invite', '--invite-token-file', inviteFile, '--node-name', name];
    const args = [program, 'node', '--control-url', url, ...pairing, '--state-dir', state, ...more];
    return await serve(state, process.execPath, args, (line) => line.includes(name), plainEnvironment());
  } finally {
    admin.close();
  }
}

/** Where a plane's first start writes the admin's token. */
export function adminTokenFile(state: string): string {
  return join(state, 'admin.token');
}
