import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Command } from 'commander';
import { applySettings } from '../../lib/cli/config-file.js';
import { collect, collectLabels, configOption, integer, option } from '../../lib/cli/options.js';
import { acheron } from '../support/acheron.js';
import { temporaryDir } from '../support/test-node.js';

/** A program with the kinds of options that there are; `run` answers what a command line leads to. */
function programOf(seen: { opts: Record<string, unknown> }): Command {
  const program = new Command('acheron').exitOverride().configureOutput({ writeErr: () => undefined });
  const up = program
    .command('up')
    .addOption(option('--port <port>', '').argParser(integer(0)))
    .addOption(option('--role <role>', '').choices(['admin', 'user']).default('admin'))
    .addOption(option('--insecure', ''))
    .addOption(option('--no-bundled', ''))
    .addOption(option('--export <x>', '').argParser(collect(String)))
    .addOption(option('--label <k=v>', '').argParser(collectLabels))
    .addOption(configOption());
  const group = program.command('project');
  const update = group
    .command('update')
    .option('--node <id>', '', collect(String))
    .option('--no-node', '')
    .addOption(configOption());
  group.command('list').option('--json', '').addOption(configOption());
  for (const command of [up, update])
    command.exitOverride().action((opts: Record<string, unknown>) => {
      seen.opts = opts;
    });
  program.hook('preAction', (_, command) => applySettings(command, async () => programOf(seen)));
  return program;
}

async function run(
  t: Test,
  args: readonly string[],
  { config, env = {} }: { config?: string; env?: Record<string, string> } = {},
): Promise<Record<string, unknown>> {
  const file = join(temporaryDir(t), 'config.json');
  writeFileSync(file, config ?? '{}');
  const before = { ...process.env };
  Object.assign(process.env, env);
  const seen = { opts: {} };
  try {
    await programOf(seen).parseAsync(['node', 'acheron', ...args, '--config', file]);
    const { config: _, ...opts } = seen.opts as { config: string };
    return opts;
  } finally {
    for (const name of Object.keys(env)) Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, before);
  }
}

t.test(
  'a switch is on for 1, true, yes, on, off for 0, false, no, off; anything else is refused',
  async (t) => {
    for (const word of ['1', 'true', 'YES', 'on'])
      t.match(await run(t, ['up'], { env: { ACHERON_INSECURE: word, ACHERON_NO_BUNDLED: word } }), {
        insecure: true,
        bundled: false,
      });
    for (const word of ['0', 'false', 'No', 'off', ''])
      t.match(await run(t, ['up'], { env: { ACHERON_INSECURE: word, ACHERON_NO_BUNDLED: word } }), {
        insecure: false,
        bundled: true,
      });
    await t.rejects(run(t, ['up'], { env: { ACHERON_INSECURE: 'maybe' } }), {
      message: /'maybe' from env 'ACHERON_INSECURE' is invalid\. It must be one of 1, true/,
    });
    t.match(await run(t, ['up', '--insecure'], { env: { ACHERON_INSECURE: 'false' } }), { insecure: true });
  },
);

t.test('negated options mean in a config file what they say, by either name', async (t) => {
  t.match(await run(t, ['up'], { config: '{"no-bundled": true}' }), { bundled: false });
  t.match(await run(t, ['up'], { config: '{"no-bundled": false}' }), { bundled: true });
  t.match(await run(t, ['up'], { config: '{"bundled": false}' }), { bundled: false });
  t.match(await run(t, ['up'], { config: '{"bundled": true}' }), { bundled: true });
  await t.rejects(run(t, ['up'], { config: '{"bundled": true,\n"no-bundled": true}' }), {
    message: /config\.json:2: "no-bundled" and "bundled" say the same/,
  });
  t.match(await run(t, ['project', 'update'], { config: '{"no-node": true}' }), { node: false });
  t.match(await run(t, ['project', 'update'], { config: '{"node": ["a", "b"]}' }), { node: ['a', 'b'] });
});

t.test('flags win over the environment, it over the section, that over the top of the file', async (t) => {
  const config =
    '{"port": 1, // for all\n "up": {"port": 2, "export": ["a=/a", "b=/b"], "label": {"k": "v"}}}';
  t.match(await run(t, ['up'], { config }), { port: 2, export: ['a=/a', 'b=/b'], label: { k: 'v' } });
  t.match(await run(t, ['up'], { config, env: { ACHERON_PORT: '3' } }), { port: 3 });
  t.match(await run(t, ['up', '--port', '4'], { config, env: { ACHERON_PORT: '3' } }), { port: 4 });
  t.match(await run(t, ['up'], { config: '{"project": {"update": {"node": "x"}}}' }), { role: 'admin' });
});

t.test('what is wrong in a config file is refused with file, line and key', async (t) => {
  const wrong: [string, RegExp][] = [
    ['{"port": "x"}', /config\.json:1: the value of "port" is invalid\. It must be a whole number/],
    ['{\n"port": ""}', /config\.json:2: the value of "port" is invalid/],
    [
      '{\n"role": "king"}',
      /config\.json:2: the value of "role" is invalid\. Allowed choices are admin, user/,
    ],
    ['{\n\n"insecure": "maybe"}', /config\.json:3: the value of "insecure" is invalid/],
    ['{"insecure": {}}', /"insecure" is invalid\. It must be true or false/],
    ['{"role": ["admin"]}', /"role" is invalid\. It must be one string or number/],
    ['{"prot": 1}', /config\.json:1: "prot" is no option and no command/],
    ['{"up": {\n"node": "x"}}', /config\.json:2: "node" is no option of acheron up/],
    ['{"port": 1, "port": 2}', /"port" is said twice/],
    ['{"port": ', /config\.json:1: this is not JSON/],
    ['[]', /must hold one JSON object/],
  ];
  for (const [config, message] of wrong) await t.rejects(run(t, ['up'], { config }), { message }, config);
  t.match(await run(t, ['up'], { config: '{"json": true, "node": "x"}' }), { role: 'admin' }, 'of others');
});

t.test('the program exits 2 and names the file, the line and the key, or the variable', async (t) => {
  const dir = temporaryDir(t);
  const config = join(dir, 'config.json');
  writeFileSync(config, '{\n  "ls": {"project": "a/b"}\n}');
  const wrong = await acheron(['ls', '/', '--config', config, '--state-dir', dir]);
  t.match(wrong, { status: 2, stdout: '', stderr: /config\.json:2: the value of "project" is invalid/ });
  const missing = await acheron(['ls', '/'], { env: { ACHERON_CONFIG: join(dir, 'none.json') } });
  t.match(missing, { status: 2, stderr: /none\.json cannot be read/ });
  const variable = await acheron(['up', join(dir, 'm')], { env: { ACHERON_TRUST_WRITABLE: 'ja' } });
  t.match(variable, { status: 2, stderr: /ACHERON_TRUST_WRITABLE/ });
});
