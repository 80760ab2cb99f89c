import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { parse } from 'yaml';
import { acheron } from '../support/acheron.js';
import { PlaneProcesses, Program } from '../support/plane-processes.js';
import { temporaryDir } from '../support/test-node.js';

const top = join(import.meta.dirname, '../../..');
const read = (name: string): string => readFileSync(join(top, name), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };
const PINNED = /^[\w.-]+\.[\w.-]+\/[\w./-]+:\d+\.\d+[\w.-]*$/;

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

interface Stage {
  readonly base: string;
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly volumes: readonly string[];
  readonly devices?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly read_only?: boolean;
  readonly privileged?: boolean;
  readonly user?: string;
  readonly build?: { readonly target: string; readonly context: string; readonly dockerfile: string };
}

/** The stages of packaging/Containerfile, with their instructions in order. */
function stages(): Stage[] {
  const text = read('packaging/Containerfile').replace(/^#.*\n/gm, '');
  const made: { base: string; name: string; instructions: Instruction[] }[] = [];
  for (const line of text.replace(/\\\n/g, ' ').split('\n')) {
    const match = /^([A-Z]+) +(.*)$/.exec(line);
    if (match === null) continue;
    const [, word, rest] = match as unknown as [string, string, string];
    const from = word === 'FROM' ? /^(\S+) AS (\S+)$/.exec(rest) : null;
    if (from !== null) made.push({ base: from[1]!, name: from[2]!, instructions: [] });
    else made.at(-1)!.instructions.push({ word, rest });
  }
  return made;
}

const compose = parse(read('packaging/compose.yaml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { file: string }>;
};
const services = Object.entries(compose.services);
const ours = services.filter(([, { image }]) => image.startsWith('acheron'));

t.test('the recipe of images is one that can be built again, and runs nothing as root', async (t) => {
  const all = stages();
  const names = all.map(({ name }) => name);
  const lastOnes = all.filter(({ name }) => !all.some(({ base }) => base === name) && name !== 'build');
  t.same(lastOnes.map(({ name }) => name).sort(), ['mount', 'server']);
  t.equal(names.at(-1), 'server', 'what is built where no stage is named needs no privilege');
  for (const { base, name, instructions } of all) {
    if (!names.includes(base)) t.match(base, PINNED, `${name}: its base has a registry and a version`);
    t.same(
      instructions.filter(({ word }) => ['ADD', 'MAINTAINER', 'SHELL', 'FROM'].includes(word)),
      [],
      name,
    );
    for (const { word, rest } of instructions) {
      if (word === 'CMD' || word === 'ENTRYPOINT') t.ok(Array.isArray(JSON.parse(rest)), `${name}: ${rest}`);
      if (word === 'HEALTHCHECK') t.ok(Array.isArray(JSON.parse(rest.slice(rest.indexOf('[')))), rest);
      if (word === 'COPY' && name !== 'build') t.match(rest, /^--from=build /, 'only what was built goes on');
      if (word === 'RUN' && rest.includes('apt-get install')) {
        t.match(rest, /apt-get update .*--no-install-recommends .*rm -rf \/var\/lib\/apt\/lists/, name);
        t.match(rest, /--no-install-recommends fuse3 /, 'no tools to build with');
      }
      if (word === 'RUN') t.notMatch(rest, /\b(?:sudo|curl|wget|chmod 777|apt )/);
    }
  }
  for (const { name, instructions } of lastOnes)
    t.match(instructions.at(-1), { word: 'USER', rest: /^[1-9]\d*:[1-9]\d*$/ }, `${name} is not root`);
  const copied = all.flatMap(({ instructions }) => instructions.map(({ rest }) => rest));
  for (const [, path] of copied.join('\n').matchAll(/ \/src\/(\S+)/g))
    t.ok(existsSync(join(top, path!)), path!);
  t.equal(read('packaging/Containerfile.containerignore'), read('packaging/Containerfile.dockerignore'));
});

t.test('every option and variable in the recipe and in compose.yaml exists', async (t) => {
  const known = new Set<string>();
  const commands = new Map<string, string>();
  for (const command of ['control', 'node', 'mount']) {
    const { stdout } = await acheron([command, '--help']);
    commands.set(command, stdout);
    for (const [, name] of stdout.replace(/\s+/g, ' ').matchAll(/env: (ACHERON_\w+)/g)) known.add(name!);
  }
  for (const [name, { command = [], environment }] of ours) {
    const [word, ...args] = command;
    const help = commands.get(word ?? '');
    if (help === undefined) return t.fail(`${name} runs no command: ${command.join(' ')}`);
    for (const option of args.filter((arg) => arg.startsWith('--')))
      t.ok(help.includes(`  ${option} <`), `${name}: ${word!} ${option}`);
    const flat = help.replace(/\s+/g, ' ');
    for (const variable of Object.keys(environment).filter((one) => one !== 'HEALTH_URL'))
      t.ok(flat.includes(`env: ${variable})`), `${name}: ${word!} knows ${variable}`);
  }
  for (const [variable] of read('packaging/Containerfile').matchAll(/\bACHERON_\w+/g))
    t.ok(known.has(variable), variable);
});

t.test(
  'compose.yaml has three control planes, two nodes and a mount, each with no more than it needs',
  async (t) => {
    const running = (word: string): number => ours.filter(([, { command }]) => command?.[0] === word).length;
    t.same([running('control'), running('node'), running('mount')], [3, 2, 1]);
    for (const [name, service] of services) {
      if (service.image.startsWith('acheron')) t.ok(service.image.endsWith(`:${version}`), name);
      else t.match(service.image, PINNED, name);
      t.notOk(service.privileged, name);
      t.notOk(service.user, `${name}: the image says who it is`);
      for (const secret of service.secrets) t.ok(compose.secrets[secret], `${name}: ${secret}`);
      for (const [named] of service.volumes.map((volume) => volume.split(':')))
        if (!named!.startsWith('.')) t.ok(named! in compose.volumes, `${name}: ${named!}`);
      const used = JSON.stringify(service).matchAll(/\/run\/secrets\/(\w+)/g);
      for (const [, secret] of used) t.ok(service.secrets.includes(secret!), `${name} is given ${secret!}`);
      t.notMatch(
        JSON.stringify(service.environment),
        /PASSWORD":|TOKEN":|SECRET":/,
        `${name}: secrets are files`,
      );
      if (!service.image.startsWith('acheron:')) continue;
      t.match(
        service,
        { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] },
        name,
      );
      t.notOk(service.devices ?? service.cap_add, `${name} needs no device`);
    }
    const { mount } = compose.services;
    t.match(mount, { devices: ['/dev/fuse'], cap_add: ['SYS_ADMIN'], build: { target: 'mount' } });
    for (const [, { build }] of ours) {
      if (build === undefined) continue;
      t.ok(existsSync(join(top, 'packaging', build.context, build.dockerfile)));
      t.ok(stages().some(({ name }) => name === build.target));
    }
  },
);

t.test('the health check tells a server that is well from one that is not', async (t) => {
  const isWell = (url: string): Promise<{ exitCode?: number; stderr?: string }> =>
    execa(process.execPath, [join(top, 'packaging/container/healthcheck.mjs')], {
      env: { HEALTH_URL: url },
      reject: false,
    });
  const plane = await PlaneProcesses.start(t);
  const url = plane.url.replace('ws', 'http');
  t.match(await isWell(`${url}/healthz`), { exitCode: 0 });
  t.match(await isWell(`${url}/none`), { exitCode: 1, stderr: /answers 404/ });
  await plane.control.end('SIGTERM');
  t.match(await isWell(`${url}/healthz`), { exitCode: 1, stderr: /ECONNREFUSED/ });
  t.match(await isWell('http://192.0.2.1/healthz'), { exitCode: 1, stderr: /only this machine/ });

  const withTls = new Program(t, ['control', '--port', '0', '--state-dir', temporaryDir(t), '--tls-auto']);
  const [, port] = await withTls.says(/wss:\/\/[\d.]+:(\d+)/);
  t.match(await isWell(`https://127.0.0.1:${port!}/healthz`), { exitCode: 0 });
});
