import { basename } from 'node:path';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { FsError, nearest } from '../../core/index.js';
import { adviceFor, installScript, placeFor, uninstallScript } from '../completion/install.js';
import { scriptFor, SHELLS, type Shell } from '../completion/scripts.js';
import { printLine } from '../print.js';

export function completionCommand(): Command {
  const command = new Command('completion')
    .description(
      'Let a shell complete commands, options, and names of what there is: services, nodes, projects, jobs, paths of the tree, keys\nof a request. Prints the script of a shell, or installs it for this user.',
    )
    .addArgument(shellArgument('<shell>'))
    .addHelpText(
      'after',
      `
What there is, is asked for at the node or control plane that the command would use: by --control-url, --token-file,
--state-dir, their variables and the config file. What does not answer within a second, or
ACHERON_COMPLETION_MS, is not offered.

Examples:
  $ acheron completion install
  $ acheron completion bash > ~/.local/share/bash-completion/completions/acheron
  $ acheron completion zsh > "\${fpath[1]}/_acheron"
  $ acheron completion fish > ~/.config/fish/completions/acheron.fish`,
    )
    .action((shell: Shell) => printLine(scriptFor(shell)));
  command
    .command('install')
    .description('Write the script to where the shell looks for those of this user.')
    .addArgument(shellArgument('[shell]'))
    .addHelpText('after', '\nExample:\n  $ acheron completion install fish')
    .action(async (given: Shell | undefined) => {
      const shell = given ?? ownShell();
      const path = placeFor(shell);
      const isNew = installScript(shell, path);
      await printLine(`${isNew ? 'wrote' : 'unchanged:'} ${path}\n${adviceFor(shell, path)}`);
    });
  command
    .command('uninstall')
    .description('Remove the script that install wrote.')
    .addArgument(shellArgument('[shell]'))
    .addHelpText('after', '\nExample:\n  $ acheron completion uninstall fish')
    .action(async (given: Shell | undefined) => {
      const path = placeFor(given ?? ownShell());
      await printLine(uninstallScript(path) ? `removed ${path}` : `There is no ${path}.`);
    });
  return command;
}

function shellArgument(name: string): Argument {
  const about = name.startsWith('[') ? 'which shell; default: that of SHELL' : 'which shell';
  return new Argument(name, about).choices([...SHELLS]).argParser((given: string) => {
    if (SHELLS.some((shell) => shell === given)) return given;
    const near = nearest(given, [...SHELLS, 'install', 'uninstall']);
    throw new InvalidArgumentError(
      `Allowed choices are ${SHELLS.join(', ')}.${near === undefined ? '' : ` Did you mean ${near}?`}`,
    );
  });
}

/** @throws FsError EINVAL where SHELL names none that completes */
function ownShell(): Shell {
  const name = basename(process.env['SHELL'] ?? '');
  const shell = SHELLS.find((one) => one === name);
  if (shell !== undefined) return shell;
  throw new FsError(
    'EINVAL',
    `The shell to complete for is not known${name === '' ? '' : `: it is not ${name}`}.`,
    {
      hint: `Name one: acheron completion install ${SHELLS.join('|')}.`,
    },
  );
}
