import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { FsError, isJsonObject, type JsonObject, reasonOf } from '../../core/index.js';
import type { ControlReply, ControlRequest } from '../../protocol/index.js';
import { addControlOptions, withControl, type ControlFlags } from '../control-access.js';
import { collect, idArgument, jsonOption, repeating } from '../options.js';
import { plain, printJson, printLine, printTable, printNote } from '../print.js';
import { projectTokenCommand } from './project-token.js';

type Flags = ControlFlags & { readonly json?: boolean };
type Project = ControlReply<'project_get'>['project'];

interface ChangeFlags extends Flags {
  readonly name?: string;
  readonly description?: string;
  /** False: `--no-node`; true: neither was given. */
  readonly node?: string[] | boolean;
  readonly policy?: string | boolean;
  readonly withToken?: boolean;
}

export function projectCommand(): Command {
  const command = new Command('project')
    .description('Make, change and delete projects: who may do what with which nodes.')
    .addHelpText(
      'after',
      `
Examples:
  $ (umask 077; acheron project create web --node lab --policy web-policy.json --with-token > web.token)
  $ acheron project update web --policy web-policy.json
  $ (umask 077; acheron project token rotate web > web.token)
  $ acheron explain --as user,agent=claude,project=web echo invoke`,
    );
  changeOptions(
    command
      .command('create')
      .description('Make a project.')
      .argument('<project>', 'its id', idArgument)
      .option('--with-token', 'give it a token, and print it; it is shown this once'),
  )
    .addHelpText(
      'after',
      '\nExample:\n  $ (umask 077; acheron project create web --node lab --with-token > web.token)',
    )
    .action((id: string, flags: ChangeFlags, self: Command) => create(id, flags, self));
  addControlOptions(
    command.command('list').description('List the projects that you may know of.').addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron project list')
    .action((flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const { projects } = await client.requestAll('project_list', {});
        if (flags.json === true) return printJson(projects);
        await printTable(['PROJECT', 'TOKEN', 'POLICY', 'NODES', 'NAME'], projects.map(rowOf));
      }),
    );
  addControlOptions(
    command
      .command('get')
      .description('Show a project; its policy to admins alone.')
      .argument('<project>', 'its id', idArgument)
      .addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron project get web')
    .action((id: string, flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const { project } = await client.request('project_get', { project_id: id });
        await (flags.json === true ? printJson(project) : printLine(textOf(project)));
      }),
    );
  changeOptions(
    command
      .command('update')
      .description('Change what is given of a project; the rest stays. It holds on the next operation.')
      .argument('<project>', 'its id', idArgument)
      .option('--no-node', 'name no nodes any more')
      .option('--no-policy', 'have no policy any more'),
  )
    .addHelpText('after', '\nExample:\n  $ acheron project update web --node lab --node build')
    .action((id: string, flags: ChangeFlags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const { project } = await client.request('project_update', { project_id: id, ...changeFrom(flags) });
        await (flags.json === true ? printJson(project) : printLine(textOf(project)));
      }),
    );
  addControlOptions(
    command
      .command('delete')
      .description('Forget a project. Sessions attached to it see nothing from then on.')
      .argument('<project>', 'its id', idArgument)
      .addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron project delete web')
    .action((id: string, flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const reply = await client.request('project_delete', { project_id: id });
        await (flags.json === true ? printJson(reply) : printLine(`Project ${id} is deleted.`));
      }),
    );
  command.addCommand(projectTokenCommand());
  return command;
}

function changeOptions(command: Command): Command {
  return addControlOptions(
    command
      .option('--name <text>', 'what people call it')
      .option('--description <text>', 'what it is for')
      .option('--node <id>', 'a node that is reachable through it; repeatable', collectNodes)
      .option('--policy <file>', 'its access_policy, a JSON object; "-" is standard input')
      .addOption(jsonOption()),
  );
}

const collectOne = collect(idArgument);
/** `--no-node` leaves `false` as what was before. */
const collectNodes = repeating((text: string, before: string[] | boolean | undefined): string[] =>
  collectOne(text, Array.isArray(before) ? before : undefined),
);

function create(id: string, flags: ChangeFlags, self: Command): Promise<void> {
  const change = changeFrom(flags);
  return withControl(self, flags, async ({ client }) => {
    const made = await client.request('project_create', {
      project_id: id,
      ...change,
      with_token: flags.withToken === true,
    });
    if (flags.json === true) return printJson(made);
    printNote(`Project ${id} is made.`);
    if (made.project_token !== null) await printLine(made.project_token);
  });
}

/** @throws FsError when the policy cannot be read */
function changeFrom(flags: ChangeFlags): Omit<ControlRequest<'project_update'>, 'project_id'> {
  const { name, description, node, policy } = flags;
  return {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    // `true` is what commander makes of an option that has a `--no-` and was not given.
    ...(node === undefined || node === true ? {} : { nodes: node === false ? [] : node }),
    ...(typeof policy === 'string'
      ? { access_policy: readPolicy(policy) }
      : policy === false
        ? { access_policy: null }
        : {}),
  };
}

const POLICY_HINT =
  'Name a file with, for instance, {"actions": {"invoke": "token"}, "agents": {"claude": {"invoke": "open"}}}.';

function readPolicy(file: string): JsonObject {
  const name = file === '-' ? 'Standard input' : file;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'));
  } catch (thrown) {
    const error = FsError.from(thrown);
    throw new FsError(
      error.code === 'EIO' ? 'EINVAL' : error.code,
      `${name} is not a policy: ${reasonOf(thrown)}.`,
      { hint: POLICY_HINT, path: file, cause: thrown },
    );
  }
  if (isJsonObject(value)) return value;
  throw new FsError('EINVAL', `${name} is not a policy: it is not a JSON object.`, {
    hint: POLICY_HINT,
    path: file,
  });
}

function rowOf({ project_id, has_token, access_policy, nodes, name }: Project): (string | null)[] {
  const policy = access_policy === undefined ? '?' : access_policy === null ? 'none' : 'yes';
  return [project_id, has_token ? 'yes' : 'no', policy, nodes.join(',') || '-', name];
}

function textOf(project: Project): string {
  const { project_id, name, description, nodes, has_token, access_policy } = project;
  return [
    `project: ${project_id}`,
    `name: ${plain(name ?? '-')}`,
    `description: ${plain(description ?? '-')}`,
    `nodes: ${nodes.join(' ') || '-'}`,
    `token: ${has_token ? 'yes' : 'no'}`,
    ...(access_policy === undefined
      ? []
      : [`access_policy: ${access_policy === null ? '-' : JSON.stringify(access_policy, null, 2)}`]),
  ].join('\n');
}
