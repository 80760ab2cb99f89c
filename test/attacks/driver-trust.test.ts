import { chmodSync, existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { othersMayWrite } from '../support/safe-place.js';
import { temporaryDir, TestNode } from '../support/test-node.js';
import { until } from '../support/until.js';

// A local user who may write to something that a node runs: at its start, or later.

const GOOD = '#!/bin/sh\ncat >/dev/null; echo \'{"ran":"good"}\'\n';
const BAD = '#!/bin/sh\ncat >/dev/null; echo \'{"ran":"bad"}\'\n';

interface Place {
  readonly dir: string;
  readonly script: (name: string, text?: string) => string;
}

const skip = othersMayWrite;

/** A folder that only we may write to. */
function placeOf(t: Test): Place {
  const dir = temporaryDir(t);
  chmodSync(dir, 0o755);
  return {
    dir,
    script: (name, text = GOOD) => {
      const path = join(dir, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      chmodSync(path, 0o755);
      return path;
    },
  };
}

function manifest(serviceId: string, runtime: JsonObject): JsonObject {
  return {
    service_id: serviceId,
    kind: 'test',
    runtime: { type: 'native_proc', ...runtime },
    permissions: { allow_roles: ['admin'] },
  };
}

async function invoke(node: TestNode, serviceId: string): Promise<JsonObject> {
  await node.write(node.path(serviceId, 'control/invoke.json'), '{}');
  return node.json<JsonObject>(node.path(serviceId, 'result.json'));
}

/** Runtimes that all run something which others may change. */
const TRAPS: Readonly<Record<string, (place: Place) => JsonObject>> = {
  'a program on the PATH that the manifest sets': ({ dir, script }) => {
    script('bin/prog');
    chmodSync(join(dir, 'bin'), 0o777);
    return { executable_path: 'prog', env: { PATH: join(dir, 'bin') } };
  },
  'the interpreter of a script': ({ script }) => {
    const interpreter = script('shell', '');
    chmodSync(interpreter, 0o757);
    return { executable_path: script('run', `#!${interpreter}\n`) };
  },
  'what env finds for a script': ({ dir, script }) => {
    chmodSync(script('bin/found', ''), 0o777);
    return {
      executable_path: script('run', '#!/usr/bin/env -S found -x\n'),
      env: { PATH: `${join(dir, 'bin')}:/usr/bin:/bin` },
    };
  },
  'a script behind an argument that is a file': ({ script }) => {
    const second = script('second');
    chmodSync(second, 0o722);
    return { executable_path: '/bin/sh', args: [script('first'), second] };
  },
  'a file that an option names': ({ script }) => {
    const hook = script('hook.js');
    chmodSync(hook, 0o666);
    return { executable_path: process.execPath, args: [`--require=${hook}`, script('main.js')] };
  },
  'a link in the midst of the way': ({ dir, script }) => {
    const program = script('safe/prog');
    mkdirSync(join(dir, 'open'));
    symlinkSync(program, join(dir, 'open', 'link'));
    symlinkSync(join(dir, 'open', 'link'), join(dir, 'entry'));
    chmodSync(join(dir, 'open'), 0o777);
    return { executable_path: join(dir, 'entry') };
  },
  'an argument of its probe': ({ script }) => {
    const check = script('check');
    chmodSync(check, 0o777);
    return { executable_path: '/bin/cat', probe: { type: 'exec', command: ['/bin/sh', check] } };
  },
};

for (const [name, make] of Object.entries(TRAPS))
  t.test(`a manifest is refused where others may write to ${name}`, { skip }, async (t) => {
    const place = placeOf(t);
    const node = await TestNode.start(t, [manifest('trap', make(place))], { trustWritable: false });
    t.notOk((await node.names('/nodes/n1/services')).includes('trap'));
    t.match(JSON.stringify(node.node.registry.diagnostics()), /cannot be trusted: [^"]* may be written by/);
  });

for (const mode of ['oneshot', 'warm'] as const)
  t.test(`what runs is looked at again before each start (${mode})`, { skip }, async (t) => {
    const place = placeOf(t);
    const script = place.script('driver/run');
    const node = await TestNode.start(t, [manifest('x', { executable_path: script, mode })], {
      trustWritable: false,
    });
    t.same(await invoke(node, 'x'), { ran: 'good' });

    chmodSync(script, 0o777);
    writeFileSync(script, BAD);
    await t.rejects(invoke(node, 'x'), { code: 'EIO', message: /cannot be trusted/ }, 'the file opened');
    chmodSync(script, 0o755);
    writeFileSync(script, GOOD);
    t.same(await invoke(node, 'x'), { ran: 'good' }, 'and mended');

    chmodSync(dirname(script), 0o777);
    renameSync(place.script('driver/other', BAD), script);
    await t.rejects(invoke(node, 'x'), { code: 'EIO', message: /cannot be trusted/ }, 'its folder opened');
  });

t.test('a persistent driver is not started again from what others may write to', { skip }, async (t) => {
  const place = placeOf(t);
  const ran = join(place.dir, 'ran');
  const begun = join(place.dir, 'begun');
  const script = place.script('driver/run', `#!/bin/sh\ntouch ${begun}\nexec cat >/dev/null\n`);
  const node = await TestNode.start(t, [manifest('x', { executable_path: script, mode: 'persistent' })], {
    trustWritable: false,
  });
  await until(() => existsSync(begun), 'the shell to have read the script');
  chmodSync(script, 0o777);
  writeFileSync(script, `#!/bin/sh\ntouch ${ran}\n`);
  await node.write(node.path('x', 'control/restart'), '1');
  await t.rejects(invoke(node, 'x'), { code: 'EIO' });
  t.notOk(existsSync(ran));
});

t.test('a module that others may write to since is not loaded', { skip }, async (t) => {
  const place = placeOf(t);
  const module = place.script('m.mjs', 'export const invoke = () => ({ ran: "good" });');
  const node = await TestNode.start(t, [manifest('m', { type: 'module', module_path: module })], {
    trustWritable: false,
  });
  t.same(await invoke(node, 'm'), { ran: 'good' });
  chmodSync(module, 0o666);
  writeFileSync(module, 'export const invoke = () => ({ ran: "bad" });');
  await t.rejects(invoke(node, 'm'), { code: 'EIO', message: /cannot be trusted/ });
});
