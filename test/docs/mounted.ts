import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** The top of the checkout, seen from dist/test/docs. */
export const top = resolve(import.meta.dirname, '../../..');
export const program = join(top, 'dist/bundle/bin/acheron.js');

/** What `npm install --global` puts on PATH. */
const MCP_SERVERS = ['mcp-server-memory', 'mcp-server-everything'];

export interface Mounted {
  /** Where `acheron up ./mnt --services-dir ./services` runs. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

/** Makes the folders of a home: `work` with `services` and `drivers`, and `bin`, which is on the PATH of `env`. */
export async function makeHome(home: string): Promise<{ folder: string; env: NodeJS.ProcessEnv }> {
  for (const name of ['work', 'work/services', 'work/drivers', 'work/node_modules', 'bin'])
    await mkdir(join(home, name));
  // As npm would have installed it, so that a program of the document can import it.
  await symlink(top, join(home, 'work/node_modules/acheron'));
  for (const name of MCP_SERVERS)
    await symlink(join(top, 'node_modules/.bin', name), join(home, 'bin', name));
  return { folder: join(home, 'work'), env: environment(home) };
}

/**
 * A mount in a home of its own, `acheron` on the PATH of `env`. The home should not be below the checkout:
 * a cleanup of its test folders must never walk into a live mount.
 */
export async function mountIn(home: string): Promise<Mounted> {
  const { folder, env } = await makeHome(home);
  await writeFile(join(home, 'bin/acheron'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  await chmod(join(home, 'bin/acheron'), 0o755);
  const up = spawn(process.execPath, [program, 'up', './mnt', '--services-dir', './services'], {
    cwd: folder,
    // As docs/HTTP_SERVICES.md starts it: its server is on this machine.
    env: { ...env, ACHERON_ALLOW_PRIVATE: 'loopback' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // However this process ends, a test runner's timeout included, the mount goes with it.
  const endWithUs = (): void => void up.kill('SIGTERM');
  process.once('exit', endWithUs);
  up.once('exit', () => process.off('exit', endWithUs));
  const ended = once(up, 'exit').then(() => {
    throw new Error('acheron up ended before it was ready');
  });
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: up.stdout }).on('line', (line) => {
      if (line.includes('mnt')) resolve();
    });
  });
  await Promise.race([ready, ended]);
  ended.catch(() => undefined);
  return {
    folder,
    env,
    stop: async () => {
      if (up.exitCode !== null || up.signalCode !== null) return;
      const gone = once(up, 'exit');
      up.kill('SIGTERM');
      await gone;
    },
  };
}

/** Little of the tests' own environment reaches the documents: their commands should work for anybody. */
function environment(home: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(TAP|NODE_|ACHERON_|npm_|XDG_)/i.test(name));
  return {
    ...Object.fromEntries(kept),
    PATH: `${join(home, 'bin')}:${process.env['PATH']}`,
    ACHERON_STATE_DIR: join(home, 'state'),
    NO_COLOR: '1',
  };
}
