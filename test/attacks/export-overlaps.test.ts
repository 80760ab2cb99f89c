import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import t, { type Test } from 'tap';
import { addNodeOptions, localNodeOptions, type NodeFlags } from '../../lib/cli/node-options.js';
import { silentLog, type JsonObject } from '../../lib/core/index.js';
import { createExport } from '../../lib/providers/index.js';
import { Registry } from '../../lib/registry/index.js';
import type { RunningNodeOptions } from '../../lib/compose/index.js';
import { exposedByExports } from '../../lib/node/index.js';
import { TestNode, temporaryDir } from '../support/test-node.js';
import { needsRoot } from './fixtures/local-account.js';

/** The directories `exported` and `apart` side by side, and the latter's `tool` and `script`. */
function places(t: Test): { base: string; exported: string; apart: string } {
  const base = temporaryDir(t);
  const made = { base, exported: join(base, 'exported'), apart: join(base, 'apart') };
  for (const dir of [made.exported, made.apart]) {
    fs.mkdirSync(dir);
    fs.writeFileSync(join(dir, 'tool'), '#!/bin/sh\ncat\n', { mode: 0o755 });
    fs.writeFileSync(join(dir, 'script'), 'cat\n');
  }
  return made;
}

/** Mounts `from` on the directory `on` until the test ends. */
function bind(t: Test, from: string, on: string): void {
  execFileSync('mount', ['--bind', from, on]);
  t.teardown(() => execFileSync('umount', ['-l', on]));
}

async function refusalOf(path: string, forbidden: string[], readOnly = true): Promise<string> {
  try {
    await (await createExport({ name: 'x', path, readOnly, forbidden, squash: null })).close();
    return 'taken';
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

t.test(
  'what is kept apart is known by what it is: neither symlinks nor bind mounts hide it',
  needsRoot,
  async (t) => {
    const { base, exported, apart } = places(t);
    fs.mkdirSync(join(exported, 'inner'));
    fs.mkdirSync(join(base, 'elsewhere'));
    bind(t, join(exported, 'inner'), join(base, 'elsewhere'));
    t.match(await refusalOf(exported, [join(base, 'elsewhere/state')]), /contains .*elsewhere\/state/);
    t.match(await refusalOf(exported, [join(base, 'elsewhere')]), /contains/);
    t.match(await refusalOf(join(base, 'elsewhere'), [exported]), /lies in/);
    t.match(await refusalOf(join(base, 'elsewhere'), [join(exported, 'inner/token')]), /contains/);
    t.equal(await refusalOf(join(base, 'elsewhere'), [join(exported, 'tool')]), 'taken');
    fs.symlinkSync(join(apart, 'tool'), join(exported, 'link'));
    t.match(
      await refusalOf(exported, [join(exported, 'link')]),
      /contains/,
      'a user who writes there can turn the link',
    );
    fs.symlinkSync(exported, join(base, 'way'));
    fs.symlinkSync(join(base, 'way/link'), join(base, 'link-to-link'));
    t.match(await refusalOf(exported, [join(base, 'link-to-link')]), /contains/);
    t.equal(await refusalOf(apart, [join(base, 'missing/token'), join(exported, 'tool')]), 'taken');
  },
);

t.test("the kernel's own filesystems are not exported", async (t) => {
  for (const path of ['/proc', '/proc/self/root/proc', '/sys', '/dev', '/dev/pts', '/sys/fs', '/proc/1'])
    t.match(await refusalOf(path, []), /refused: it lies in/, path);
});

t.test('this program and what runs it lie in no export that may be written', async (t) => {
  const start = async (path: string, readOnly: boolean): Promise<string> => {
    try {
      await (await TestNode.start(t, [], { exports: [{ name: 'x', path, readOnly }] })).node.close();
      return 'taken';
    } catch (thrown) {
      return (thrown as Error).message;
    }
  };
  const own = join(import.meta.dirname, '../../lib/node');
  t.match(await start(own, false), /refused: it lies in/);
  t.equal(await start(own, true), 'taken');
  t.match(await start(join(process.execPath, '..'), false), /refused: it contains/);
});

t.test(
  'files with secrets or settings that the command line, environment or config file name are kept apart',
  async (t) => {
    const dir = temporaryDir(t);
    const config = join(dir, 'config.json');
    fs.writeFileSync(
      config,
      JSON.stringify({ 'token-file': '/secrets/a', 'tls-key': '/secrets/b', host: '/no' }),
    );
    const before = { ...process.env };
    process.env['ACHERON_CONFIG'] = config;
    process.env['ACHERON_PROJECT_TOKEN_FILE'] = '/secrets/c';
    t.teardown(() => (process.env = before));
    const command = addNodeOptions(new Command())
      .option('--invite-token-file <file>')
      .option('--state-dir <dir>');
    command.parse(['--invite-token-file', '/secrets/d', '--state-dir', '/secrets/e', '--export', 'x=/srv'], {
      from: 'user',
    });
    const more = { nodeId: 'n1', servicesDirs: [], mountDir: null, log: silentLog };
    const { keptApart } = localNodeOptions(command.opts<NodeFlags>(), more);
    const wanted = [config, ...['a', 'b', 'c', 'd', 'e'].map((name) => `/secrets/${name}`)];
    t.strictSame(
      wanted.filter((path) => !keptApart!.includes(path)),
      [],
    );
    t.notOk(keptApart!.includes('/no'));
  },
);

t.test('an export is read from the command line', async (t) => {
  const exported = (text: string): unknown => {
    const command = addNodeOptions(new Command())
      .exitOverride()
      .configureOutput({ writeErr: () => undefined });
    try {
      return command.parse(['--export', text], { from: 'user' }).opts<NodeFlags>().export;
    } catch (thrown) {
      return (thrown as Error).message;
    }
  };
  const one = { name: 'x', path: '/srv', readOnly: true, as: null, map: null, crossMounts: false };
  t.strictSame(exported('x=/srv'), [one]);
  t.strictSame(exported('x=/srv:ro'), [one]);
  t.strictSame(exported('x=/srv:rw:as=nobody'), [{ ...one, readOnly: false, as: 'nobody' }]);
  t.strictSame(exported('x=/srv:as=10:20:xdev:rw'), [
    { ...one, readOnly: false, as: '10:20', crossMounts: true },
  ]);
  t.strictSame(exported('x=/srv:as=10:xdev'), [{ ...one, as: '10', crossMounts: true }]);
  t.strictSame(exported('x=/srv/a:b'), [{ ...one, path: '/srv/a:b' }]);
  for (const text of ['x', 'x=', '=/srv']) t.match(exported(text), /It must look like/, text);
  t.match(exported('x=/srv:ro:rw'), /can be given once/);
});

const runtimes = ({ exported, apart, base }: ReturnType<typeof places>): Record<string, JsonObject> => ({
  'the program': { executable_path: join(exported, 'tool') },
  'a link there to a program elsewhere': { executable_path: join(exported, 'link') },
  'by a bind mount': { executable_path: join(base, 'bound/tool') },
  'a script': { executable_path: 'sh', args: [join(exported, 'script')] },
  'a script after options': {
    executable_path: 'node',
    args: ['--import', join(apart, 'script'), join(exported, 'script')],
  },
  'a file of an option': {
    executable_path: 'node',
    args: [`--import=${join(exported, 'script')}`, join(apart, 'script')],
  },
  'a script by the working directory': { executable_path: 'sh', args: ['script'], cwd: exported },
  'the program of a probe': {
    executable_path: join(apart, 'tool'),
    probe: { type: 'exec', command: [join(exported, 'tool')] },
  },
  'the script of a probe': {
    executable_path: join(apart, 'tool'),
    probe: { type: 'exec', command: ['sh', join(exported, 'script')] },
  },
  'a path of modules': { executable_path: join(apart, 'tool'), env: { PYTHONPATH: `/usr/lib:${exported}` } },
  'a folder that comes first on PATH': { executable_path: 'cat' },
});

t.test(
  'a manifest that would run what remote callers may write to is refused, and what it gave before stays',
  needsRoot,
  async (t) => {
    const made = places(t);
    const { base, exported, apart } = made;
    fs.mkdirSync(join(base, 'bound'));
    bind(t, exported, join(base, 'bound'));
    fs.symlinkSync(join(apart, 'tool'), join(exported, 'link'));
    const file = join(base, 'x.json');
    const write = (runtime: JsonObject): void =>
      fs.writeFileSync(
        file,
        JSON.stringify({ service_id: 'x', kind: 't', runtime: { type: 'native_proc', ...runtime } }),
      );
    const exports: RunningNodeOptions['exports'] = [{ name: 'drop', path: exported, readOnly: false }];
    const bounds = {
      nodeId: 'n1',
      stateFile: join(base, 's'),
      manifestFiles: [],
      servicesDirs: [],
      mountDir: null,
      exports,
    };
    for (const [what, runtime] of Object.entries(runtimes(made))) {
      write({ executable_path: join(apart, 'tool') });
      const registry = new Registry({
        ...{
          nodeId: 'n1' as never,
          manifestFiles: [file],
          log: silentLog,
          watch: false,
          reloadIntervalMs: 0,
        },
        ...{ trustWritable: true, exposed: exposedByExports(bounds) },
        searchPath: `${exported}:${process.env['PATH']!}`,
      });
      await registry.start();
      const [before] = registry.services.values();
      t.ok(before, 'good at first');
      write(runtime);
      await registry.reload();
      const faults = JSON.stringify(registry.diagnostics());
      t.match(faults, /lies in the export .*drop.* remote callers may write to/, what);
      t.equal([...registry.services.values()][0], before, `${what}: the last good one is held`);
      write({ executable_path: join(apart, 'tool'), args: [join(apart, 'script')] });
      await registry.reload();
      t.not([...registry.services.values()][0], before, 'mended');
      await registry.close();
    }
  },
);

t.test('a node takes no such service at its start, nor later', async (t) => {
  const { exported } = places(t);
  const manifest = {
    service_id: 'x',
    kind: 't',
    runtime: { type: 'native_proc', executable_path: join(exported, 'tool') },
  };
  for (const readOnly of [true, false]) {
    const node = await TestNode.start(t, [manifest], {
      trustWritable: true,
      exports: [{ name: 'd', path: exported, readOnly }],
    });
    t.equal(node.node.registry.services.has('x' as never), readOnly, basename(exported));
  }
});
