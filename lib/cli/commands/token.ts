import { Command } from 'commander';
import { timestamp } from '../../core/index.js';
import type { Role } from '../../policy/index.js';
import type { ControlReply } from '../../protocol/index.js';
import { addControlOptions, withControl, type ControlFlags } from '../control-access.js';
import { collect, idArgument, jsonOption } from '../options.js';
import { printJson, printLine, printTable, printNote } from '../print.js';

type Flags = ControlFlags & { readonly json?: boolean };

interface CreateFlags extends Flags {
  readonly role: Role;
  readonly agent?: string;
  readonly project?: readonly string[];
  readonly label?: string;
}

export function tokenCommand(): Command {
  const command = new Command('token').description('Make, list, revoke and rotate tokens.').addHelpText(
    'after',
    `
Examples:
  $ (umask 077; acheron token create --role user --agent claude --project web > claude.token)
  $ acheron token list
  $ acheron token revoke 3f9ac1d2e4b5`,
  );
  addControlOptions(
    command
      .command('create')
      .description('Make a token, and print it. It is shown this once.')
      .addOption(roleOption(command))
      .option('--agent <id>', 'the agent that holds it', idArgument)
      .option(
        '--project <id>',
        'a project that it may attach to; repeatable; default: any',
        collect(idArgument),
      )
      .option('--label <text>', 'what it is for')
      .addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron token create --role user --agent claude > claude.token')
    .action((flags: CreateFlags, self: Command) => create(flags, self));
  addControlOptions(
    command.command('list').description('List the tokens, without their secrets.').addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron token list --json')
    .action((flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const { tokens } = await client.requestAll('token_list', {});
        tokens.sort((one, other) => one.created_at_ms - other.created_at_ms);
        await (flags.json === true
          ? printJson(tokens)
          : printTable(['TOKEN', 'ROLE', 'AGENT', 'PROJECTS', 'STATE', 'MADE', 'LABEL'], tokens.map(rowOf)));
      }),
    );
  addControlOptions(
    command
      .command('revoke')
      .description('End a token and its sessions, at once.')
      .argument('<token-id>', 'as `acheron token list` shows it')
      .addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron token revoke 3f9ac1d2e4b5')
    .action((tokenId: string, flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const { record } = await client.request('token_revoke', { token_id: tokenId });
        await (flags.json === true ? printJson(record) : printLine(`Token ${record.token_id} is revoked.`));
      }),
    );
  addControlOptions(
    command
      .command('rotate')
      .description('Give a token a new secret, and print it. Sessions of the old one end.')
      .argument('[token-id]', 'default: the token that this command itself uses')
      .addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron token rotate 3f9ac1d2e4b5 > claude.token')
    .action((tokenId: string | undefined, flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const made = await client.request('auth_rotate', tokenId === undefined ? {} : { token_id: tokenId });
        await show(made, flags, `The new secret of token ${made.record.token_id}; it is not shown again.`);
      }),
    );
  return command;
}

function roleOption(command: Command): ReturnType<Command['createOption']> {
  return command
    .createOption('--role <role>', 'what its sessions are')
    .choices(['user', 'admin'])
    .default('user');
}

function create(flags: CreateFlags, self: Command): Promise<void> {
  const { role, agent = null, project = null, label = null } = flags;
  return withControl(self, flags, async ({ client }) => {
    const projects = project === null ? null : [...project];
    const made = await client.request('token_create', { role, agent_id: agent, projects, label });
    await show(made, flags, `Token ${made.record.token_id}, of role ${role}; it is not shown again.`);
  });
}

/** The secret alone goes to standard output, so that it can go into a file. */
async function show(
  { token, record }: ControlReply<'token_create'>,
  flags: Flags,
  said: string,
): Promise<void> {
  if (flags.json === true) return printJson({ token, record });
  printNote(said);
  await printLine(token);
}

type TokenRecord = ControlReply<'token_list'>['tokens'][number];

function rowOf(record: TokenRecord): (string | null)[] {
  const { token_id, role, agent_id, projects, revoked_at_ms, created_at_ms, label } = record;
  return [
    token_id,
    role,
    agent_id,
    projects === null ? 'any' : projects.join(',') || 'none',
    revoked_at_ms === null ? 'good' : 'revoked',
    timestamp(created_at_ms),
    label,
  ];
}
