import { Argument, Command } from 'commander';
import { commandShapes, SHELLS, scriptFor, type Shell } from '../completion-script.js';
import { printLine } from '../print.js';

/** `load` makes the whole command line, with all its commands. */
export function completionCommand(load: () => Promise<Command>): Command {
  return new Command('completion')
    .description('Print a script that lets a shell complete the commands and options of acheron.')
    .addArgument(new Argument('<shell>', 'which shell').choices([...SHELLS]))
    .addHelpText(
      'after',
      `
Examples:
  $ acheron completion bash > ~/.local/share/bash-completion/completions/acheron
  $ acheron completion zsh > "\${fpath[1]}/_acheron"
  $ acheron completion fish > ~/.config/fish/completions/acheron.fish`,
    )
    .action(async (shell: Shell) => printLine(scriptFor(shell, commandShapes(await load()))));
}
