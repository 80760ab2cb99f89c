import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { mountDirFor } from './mount-child.js';
import { Program } from './plane-processes.js';
import { temporaryDir } from './test-node.js';

/** A service of admins and users that answers with what it is given. */
export const ECHO: JsonObject = {
  service_id: 'greet',
  kind: 'test',
  runtime: { type: 'native_proc', executable_path: 'cat' },
  permissions: { allow_roles: ['admin', 'user'] },
};
const PRIVATE: JsonObject = { ...ECHO, service_id: 'private', permissions: { allow_roles: ['admin'] } };

/** `acheron node --listen`, a process of its own, with a service for all and one for admins. */
export class ListeningNode {
  readonly dir: string;
  readonly tokens: string;
  url = '';
  program!: Program;

  private constructor(t: Test) {
    this.dir = temporaryDir(t);
    this.tokens = join(this.dir, 'state', 'node.json.listen');
    mkdirSync(join(this.dir, 'services'));
    for (const manifest of [ECHO, PRIVATE]) {
      const file = join(this.dir, 'services', `${manifest.service_id as string}.json`);
      writeFileSync(file, JSON.stringify(manifest), { mode: 0o600 });
    }
  }

  static async start(t: Test, args: readonly string[] = [], listen = '0'): Promise<ListeningNode> {
    const node = new ListeningNode(t);
    node.program = new Program(t, [
      ...['node', '--node-name', 'lone', '--state-dir', join(node.dir, 'state')],
      ...['--services-dir', join(node.dir, 'services'), '--listen', listen, ...args],
    ]);
    node.url = (await node.program.says(/(wss?:\/\/[\d.]+:\d+)\./))[1]!;
    return node;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  as(role: 'admin' | 'user'): string[] {
    return ['--control-url', this.url, '--token-file', join(this.tokens, `${role}.token`)];
  }

  token(role: 'admin' | 'user'): string {
    return readFileSync(join(this.tokens, `${role}.token`), 'utf8').trim();
  }

  async mount(t: Test, role: 'admin' | 'user', tokenFile?: string): Promise<string> {
    const dir = mountDirFor(t);
    const as =
      tokenFile === undefined ? this.as(role) : ['--control-url', this.url, '--token-file', tokenFile];
    const program = new Program(t, ['mount', dir, ...as, '--state-dir', join(dir, '..', 'state')]);
    await program.says(/Mounted on/);
    return dir;
  }
}
