import { existsSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { FsError } from '../../core/index.js';
import { makeDirs } from '../../linux/index.js';
import { replaceFile } from '../../disk/index.js';
import { MARK, scriptFor, type Shell } from './scripts.js';

/** Where a shell looks for completions of this user. */
export function placeFor(shell: Shell, env: NodeJS.ProcessEnv = process.env): string {
  const data = base(env['XDG_DATA_HOME'], '.local/share');
  if (shell === 'zsh') return join(data, 'zsh/site-functions/_acheron');
  if (shell === 'fish') return join(base(env['XDG_CONFIG_HOME'], '.config'), 'fish/completions/acheron.fish');
  return join(env['BASH_COMPLETION_USER_DIR'] ?? join(data, 'bash-completion'), 'completions/acheron');
}

/** By the XDG base directory specification, what is not absolute counts as not set. */
const base = (named: string | undefined, usual: string): string =>
  named?.startsWith('/') === true ? named : join(homedir(), usual);

/** Writes the script to its place; false where it stood there. @throws FsError EEXIST for a file of somebody else */
export function installScript(shell: Shell, path: string): boolean {
  const script = `${scriptFor(shell)}\n`;
  const before = textIn(path);
  if (before === script) return false;
  requireOurs(path, before);
  try {
    makeDirs(dirname(path));
    replaceFile(path, script);
  } catch (thrown) {
    throw FsError.from(thrown);
  }
  return true;
}

/** Removes the script; false where there was none. @throws FsError EEXIST for a file of somebody else */
export function uninstallScript(path: string): boolean {
  const before = textIn(path);
  if (before === undefined) return false;
  requireOurs(path, before);
  try {
    rmSync(path);
  } catch (thrown) {
    throw FsError.from(thrown);
  }
  return true;
}

function textIn(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    const error = FsError.from(thrown);
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function requireOurs(path: string, text: string | undefined): void {
  if (text === undefined || text.includes(MARK)) return;
  throw new FsError('EEXIST', `${path} is not from acheron completion. Nothing was changed.`, {
    hint: 'Move it away; or write the script to a place of your choice: acheron completion SHELL > FILE.',
    path,
  });
}

/** What loads completions in bash, of the package bash-completion. */
const BASH_COMPLETION = [
  '/usr/share/bash-completion/bash_completion',
  '/etc/bash_completion',
  '/usr/local/share/bash-completion/bash_completion',
  '/opt/homebrew/etc/profile.d/bash_completion.sh',
];

/** What is left to do, once the script is there. */
export function adviceFor(shell: Shell, path: string): string {
  if (shell === 'fish') return 'fish takes it from now on.';
  if (shell === 'bash')
    return BASH_COMPLETION.some((file) => existsSync(file))
      ? 'A new bash takes it, by its package bash-completion.'
      : `The package bash-completion, which would load it, is not here: install that, or add to ~/.bashrc:\n  source ${path}`;
  return `zsh takes it where its fpath has that directory; if a new zsh does not, add to ~/.zshrc, before other completions:\n  fpath=(${dirname(path)} $fpath)\n  autoload -Uz compinit && compinit`;
}
