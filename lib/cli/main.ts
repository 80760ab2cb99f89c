import { Command, CommanderError } from 'commander';
import { COMPLETE } from './completion/candidate.js';
import { applySettings } from './config-file.js';
import { EXIT, reportFailure } from './failure.js';
import { fitted, helpLayout } from './help-item.js';
import { configOption } from './options.js';
import { watchOutput } from './output.js';
import { printTopic, TOPIC_LIST, topicNamed } from './topics.js';
import { writeError, writeOut } from './write-out.js';
import { VERSION } from './version.js';

interface Lazy {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Each command in a module of its own, loaded when it is called: starting up costs what it needs. */
const COMMANDS: readonly Lazy[] = [
  {
    name: 'up',
    summary: "mount this machine's services on a directory: all in one process",
    load: async () => (await import('./commands/up.js')).upCommand(),
  },
  {
    name: 'node',
    summary: 'run a node: its services, with a mount of their own',
    load: async () => (await import('./commands/node.js')).nodeCommand(),
  },
  {
    name: 'control',
    summary: 'run the control plane, which knows all nodes',
    load: async () => (await import('./commands/control.js')).controlCommand(),
  },
  {
    name: 'mount',
    summary: 'mount what a control plane shows: all nodes that a token may see',
    load: async () => (await import('./commands/mount.js')).mountCommand(),
  },
  {
    name: 'mount-helper',
    summary: 'mount as mount(8) asks for it: mount -t acheron',
    load: async () => (await import('./commands/mount-helper.js')).mountHelperCommand(),
  },
  {
    name: 'unmount',
    summary: 'unmount a directory, also when its server is dead',
    load: async () => (await import('./commands/unmount.js')).unmountCommand(),
  },
  {
    name: 'stop',
    summary: 'end what runs in the background',
    load: async () => (await import('./commands/stop.js')).stopCommand(),
  },
  {
    name: 'ls',
    summary: 'list a directory of the tree, without a mount',
    load: async () => (await import('./commands/ls.js')).lsCommand(),
  },
  {
    name: 'cat',
    summary: 'print a file of the tree, without a mount',
    load: async () => (await import('./commands/cat.js')).catCommand(),
  },
  {
    name: 'invoke',
    summary: 'run a service and print its result, without a mount',
    load: async () => (await import('./commands/invoke.js')).invokeCommand(),
  },
  {
    name: 'wait',
    summary: 'wait until a job has ended and print its result, without a mount',
    load: async () => (await import('./commands/wait.js')).waitCommand(),
  },
  {
    name: 'mcp',
    summary: 'serve what you may invoke to an agent, by the Model Context Protocol',
    load: async () => (await import('./commands/mcp.js')).mcpCommand(),
  },
  {
    name: 'agent-skill',
    summary: 'print, or write, what an agent needs to know, as a skill file',
    load: async () => (await import('./commands/agent-skill.js')).agentSkillCommand(),
  },
  {
    name: 'top',
    summary: 'show services and the calls that run, live',
    load: async () => (await import('./commands/top.js')).topCommand(),
  },
  {
    name: 'token',
    summary: 'make, list, revoke and rotate tokens',
    load: async () => (await import('./commands/token.js')).tokenCommand(),
  },
  {
    name: 'project',
    summary: 'make, change and delete projects and their policies',
    load: async () => (await import('./commands/project.js')).projectCommand(),
  },
  {
    name: 'invite',
    summary: 'let one machine become a node',
    load: async () => (await import('./commands/invite.js')).inviteCommand(),
  },
  {
    name: 'pair',
    summary: 'decide on machines that ask to become nodes',
    load: async () => (await import('./commands/pair.js')).pairCommand(),
  },
  {
    name: 'nodes',
    summary: 'list, look at and delete nodes',
    load: async () => (await import('./commands/nodes.js')).nodesCommand(),
  },
  {
    name: 'explain',
    summary: 'say who may do what, and which rule decides',
    load: async () => (await import('./commands/explain.js')).explainCommand(),
  },
  {
    name: 'audit',
    summary: 'print the audit log',
    load: async () => (await import('./commands/audit.js')).auditCommand(),
  },
  {
    name: 'status',
    summary: 'say how the control plane, nodes and services are',
    load: async () => (await import('./commands/status.js')).statusCommand(),
  },
  {
    name: 'console',
    summary: 'print a link that opens the web console',
    load: async () => (await import('./commands/console.js')).consoleCommand(),
  },
  {
    name: 'watch',
    summary: 'print what changes, as it changes',
    load: async () => (await import('./commands/watch.js')).watchCommand(),
  },
  {
    name: 'add',
    summary: 'make a service of a program, an HTTP request or an MCP server',
    load: async () => (await import('./commands/add.js')).addCommand(),
  },
  {
    name: 'rm',
    summary: 'remove services',
    load: async () => (await import('./commands/rm.js')).rmCommand(),
  },
  {
    name: 'validate',
    summary: 'say all that is wrong with manifests',
    load: async () => (await import('./commands/validate.js')).validateCommand(),
  },
  {
    name: 'plan',
    summary: 'say what a reload of manifests would do, and do nothing',
    load: async () => (await import('./commands/plan.js')).planCommand(),
  },
  {
    name: 'history',
    summary: 'list what a service was',
    load: async () => (await import('./commands/history.js')).historyCommand(),
  },
  {
    name: 'diff',
    summary: 'print how a service changed',
    load: async () => (await import('./commands/diff.js')).diffCommand(),
  },
  {
    name: 'types',
    summary: 'write TypeScript types of what services take and give',
    load: async () => (await import('./commands/types.js')).typesCommand(),
  },
  {
    name: 'driver',
    summary: 'start a driver of your own, in the language of your choice',
    load: async () => (await import('./commands/driver.js')).driverCommand(),
  },
  {
    name: 'import',
    summary: 'write manifests from what other programs have',
    load: async () => (await import('./commands/import.js')).importCommand(),
  },
  {
    name: 'backup',
    summary: 'write all that a node keeps into one file, also while it runs',
    load: async () => (await import('./commands/node-state.js')).backupCommand(),
  },
  {
    name: 'restore',
    summary: 'make the state of a node out of a backup',
    load: async () => (await import('./commands/node-state.js')).restoreCommand(),
  },
  {
    name: 'doctor',
    summary: 'say what this machine lacks, and how to mend it',
    load: async () => (await import('./commands/doctor.js')).doctorCommand(),
  },
  {
    name: 'completion',
    summary: 'let a shell complete commands, options and names of what there is',
    load: async () => (await import('./commands/completion.js')).completionCommand(),
  },
];

/** Runs the command line; the answer is the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  forgetEmptyVariables();
  watchOutput();
  if (argv[2] === COMPLETE) {
    const { complete } = await import('./completion/complete.js');
    await complete(argv.slice(3), (name) => programWith((one) => one === name));
    return EXIT.ok;
  }
  const [wanted = '', ...words] = argv.slice(2).filter((word) => !word.startsWith('-'));
  const named = wanted === 'help' ? words[0] : wanted;
  const topic = wanted === 'help' ? topicNamed(named) : undefined;
  try {
    if (topic !== undefined) {
      await printTopic(topic);
      return EXIT.ok;
    }
    const program = await programWith((name) => name === named);
    if (wanted === 'help' && named !== undefined && !program.commands.some((one) => one.name() === named))
      program.error(`error: there is no command and no topic '${named}'; acheron help lists them`);
    if (argv.length <= 2) program.outputHelp();
    else await program.parseAsync([...argv]);
    return Number(process.exitCode ?? EXIT.ok);
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
    reportFailure(thrown);
    return EXIT.failed;
  }
}

/** The command line with all its commands, for what describes it. */
export function wholeProgram(): Promise<Command> {
  return programWith(() => true);
}

/** The command line; of the commands that are not wanted, names alone. */
async function programWith(isWanted: (name: string) => boolean): Promise<Command> {
  const program = new Command('acheron')
    .description('Services as files: write JSON to a file to run a driver, read the answer from a file.')
    .version(VERSION)
    .helpCommand('help [topic]', 'say how a command is called, or print a topic')
    .configureHelp({ showGlobalOptions: false })
    // Options belong to the command that stands before them: `control` has some, and subcommands.
    .enablePositionalOptions()
    .hook('preAction', (_program, command) => applySettings(command, wholeProgram))
    .addHelpText('after', `${TOPIC_LIST}${EXAMPLES}`);
  for (const { name, summary, load } of COMMANDS) {
    if (isWanted(name)) program.addCommand((await load()).summary(summary));
    else program.command(name).summary(summary).description(summary);
  }
  finish(program);
  return program;
}

/**
 * What all commands have, subcommands too: a config file; and what commander finds wrong is thrown to us, and
 * says where help is.
 */
function finish(command: Command): void {
  if (command.commands.length === 0) command.addOption(configOption());
  command.configureOutput({ writeOut: (text) => void writeOut(fitted(text)), writeErr: writeError });
  command.configureHelp({ ...command.configureHelp(), ...helpLayout() });
  command.exitOverride().showHelpAfterError('--help says how it is called.');
  for (const sub of command.commands) finish(sub);
}

const EXAMPLES = `
Examples:
  $ acheron up ./mnt
  $ echo '{"text":"hi"}' > mnt/nodes/local/services/echo/control/invoke.json
  $ acheron invoke echo '{"text":"hi"}'
`;

/** A variable that is set to nothing sets nothing: `ACHERON_PORT= acheron up`. */
function forgetEmptyVariables(): void {
  for (const [name, value] of Object.entries(process.env))
    if (name.startsWith('ACHERON_') && value?.trim() === '') Reflect.deleteProperty(process.env, name);
}
