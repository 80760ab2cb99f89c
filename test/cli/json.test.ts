import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import t from 'tap';
import { wholeProgram } from '../../lib/cli/index.js';
import { acheron, Up } from '../support/acheron.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';

t.setTimeout(240_000);

const dir = temporaryDir(t);
writeFileSync(join(dir, 'mcp.json'), '{"mcpServers":{"files":{"command":"true"}}}');

/** Those that list: an array, empty where there is nothing. */
const LISTS: readonly (readonly string[])[] = [
  ['ls', '/nodes'],
  ['token list'],
  ['project list'],
  ['invite list'],
  ['pair list'],
  ['nodes list'],
  ['history', 'cat'],
  ['doctor'],
  ['explain', 'cat', 'invoke', '--as', 'user'],
];
/** Those that show or do one thing: an object. */
const OBJECTS: readonly (readonly string[])[] = [
  ['status'],
  ['top', '--once'],
  ['nodes get', 'local'],
  ['diff', 'cat'],
  ['validate', join(dir, 'services')],
  ['plan', '--services-dir', join(dir, 'services')],
  ['add cmd', 'one', '--services-dir', join(dir, 'services'), '--', 'true'],
  ['add http', 'two', 'http://127.0.0.1:9/', '--services-dir', join(dir, 'services')],
  ['add mcp', 'three', '--services-dir', join(dir, 'services'), '--', 'true'],
  ['rm', 'one', 'two', '--services-dir', join(dir, 'services')],
  ['import mcp', join(dir, 'mcp.json'), '--into', join(dir, 'imported')],
  ['project create', 'web'],
  ['project get', 'web'],
  ['project update', 'web', '--description', 'pages'],
  ['project token rotate', 'web'],
  ['project token revoke', 'web'],
  ['project delete', 'web'],
  ['token create'],
  ['invite create'],
  ['pair deny', '--all'],
  ['stop', join(dir, 'nothing-is-mounted-here')],
];
/** Those that go on: an object a line. */
const STREAMS = ['audit', 'watch'];
/** Taken by tests of their own, which need more than a node. */
const ELSEWHERE = [
  'token revoke',
  'token rotate',
  'pair approve',
  'nodes delete',
  'console',
  'import openapi',
];
/** Those that run until they are ended, print one document or bytes, or write files and say where. */
const WITHOUT = [
  ...['up', 'node', 'control', 'mount', 'mount-helper', 'unmount', 'mcp', 'cat', 'invoke', 'wait'],
  ...['control backup', 'control restore', 'control import', 'backup', 'restore', 'agent-skill', 'types'],
  ...['driver new', 'completion', 'completion install', 'completion uninstall'],
];

/** Commands that do something, with whether they take `--json`. */
function commandsBelow(above: Command, path = ''): (readonly [name: string, takesJson: boolean])[] {
  return above.commands.flatMap((command) => {
    const name = `${path} ${command.name()}`.trim();
    const takesJson = command.options.some(({ long }) => long === '--json');
    const isGroup =
      command.commands.length > 0 && command.registeredArguments.length + command.options.length === 0;
    return [...(isGroup ? [] : [[name, takesJson] as const]), ...commandsBelow(command, name)];
  });
}

t.test('every command that prints data takes --json', async (t) => {
  const all = commandsBelow(await wholeProgram());
  const named = (wants: boolean): string[] =>
    all.filter(([, takes]) => takes === wants).map(([name]) => name);
  const covered = [...LISTS, ...OBJECTS].map(([name]) => name!);
  t.same(named(true).sort(), [...covered, ...STREAMS, ...ELSEWHERE].sort());
  t.same(named(false).sort(), [...WITHOUT].sort());
});

t.test('what it prints then is one document: a list is an array, one thing an object', async (t) => {
  const up = await Up.start(t, {
    manifests: [shellManifest('cat', 'cat')],
    control: true,
    args: ['--port', '0'],
  });
  const env = { ACHERON_STATE_DIR: up.stateDir };
  const printed = async ([name, ...args]: readonly string[]): Promise<unknown> => {
    const at = args.indexOf('--');
    const words = at === -1 ? [...args, '--json'] : [...args.slice(0, at), '--json', ...args.slice(at)];
    const { stdout, stderr } = await acheron([...name!.split(' '), ...words], { env });
    try {
      return JSON.parse(stdout);
    } catch {
      return t.fail(`acheron ${name!} ${args.join(' ')}: ${stdout}${stderr}`);
    }
  };
  for (const command of LISTS) t.ok(Array.isArray(await printed(command)), command.join(' '));
  for (const command of OBJECTS) {
    const found = await printed(command);
    t.ok(typeof found === 'object' && found !== null && !Array.isArray(found), command.join(' '));
  }
  const { stdout } = await acheron(['audit', '--json'], { env });
  for (const line of stdout.trimEnd().split('\n')) t.type(JSON.parse(line), 'object');
});
