import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { FsError, type JsonValue } from '../core/index.js';
import { configFault, readConfigDocument, type ConfigEntry } from './config-document.js';
import { isSecret, variableOf } from './options.js';
import { isOn, isSwitch, optionNamed, valueFromJson } from './option-value.js';
import { warnOfUnknownVariables, type AllCommands } from './unknown-variables.js';

let usedPath: string | null | undefined;
let applied: { readonly command: Command; readonly all: AllCommands } | undefined;

/**
 * Options from the environment, from credentials of the service manager, and from a config file, for those that no flag
 * sets; what comes first here wins. The
 * file has long option names as keys, for all commands at its top, and for one in a section of its name (`node`,
 * or `create` in `project`), which wins. `--config` names it; else the user's, else /etc's.
 * @throws CommanderError with file, line and key, or with the variable
 */
export async function applySettings(command: Command, all: AllCommands): Promise<void> {
  refuseSecrets(command);
  applySwitches(command);
  applyCredentials(command);
  await warnOfUnknownVariables(command, all);
  applied = { command, all };
  try {
    await applyConfigFile(command, all);
  } catch (thrown) {
    // It counts as what is wrong on the command line does.
    if (FsError.is(thrown)) command.error(`error: ${thrown.sentence}`);
    throw thrown;
  }
}

/** The options of this command as they are once the config file was read anew. @throws FsError as at the start */
export async function rereadConfigFile(): Promise<Readonly<Record<string, unknown>>> {
  if (applied === undefined) return {};
  const { command, all } = applied;
  for (const option of command.options) {
    const key = option.attributeName();
    if (command.getOptionValueSource(key) === 'config')
      command.setOptionValueWithSource(key, option.defaultValue, 'default');
  }
  await applyConfigFile(command, all);
  return command.opts();
}

/** What stands on a command line is seen by all accounts of the machine, in ps. */
function refuseSecrets(command: Command): void {
  for (const option of command.options) {
    if (!isSecret(option) || command.getOptionValueSource(option.attributeName()) !== 'cli') continue;
    const long = `--${option.name()}`;
    command.error(
      `error: ${long} is not taken from the command line, which other accounts see in ps. Set ${variableOf(option)}, or name a file with ${long}-file.`,
    );
  }
}

/** Commander takes any value of a variable for yes. */
function applySwitches(command: Command): void {
  for (const option of command.options) {
    const { envVar } = option;
    if (envVar === undefined) continue;
    const text = process.env[envVar];
    const key = option.attributeName();
    if (text === undefined || !isSwitch(option) || command.getOptionValueSource(key) === 'cli') continue;
    try {
      command.setOptionValueWithSource(key, isOn(text) !== option.negate, 'env');
    } catch (thrown) {
      if (!(thrown instanceof InvalidArgumentError)) throw thrown;
      command.error(
        `error: option '${option.flags}' value '${text}' from env '${envVar}' is invalid. ${thrown.message}`,
      );
    }
  }
}

/** A file of the service manager (`LoadCredential=token-file:…`) with the name of an option that takes one is that file. */
function applyCredentials(command: Command): void {
  const { CREDENTIALS_DIRECTORY: dir } = process.env;
  if (dir === undefined || dir === '') return;
  for (const option of command.options) {
    const key = option.attributeName();
    const source = command.getOptionValueSource(key);
    const isFree = source === undefined || source === 'default';
    if (!isFree || !option.flags.endsWith('<file>') || option.name() === 'state-file') continue;
    const path = join(dir, option.name());
    if (existsSync(path)) command.setOptionValueWithSource(key, path, 'env');
  }
}

async function applyConfigFile(command: Command, all: AllCommands): Promise<void> {
  const path = configPath(command);
  usedPath = path;
  if (path === null) return;
  const set = new Map<string, ConfigEntry>();
  for (const { entry, scope } of entriesFor(command, readConfigDocument(path))) {
    const found = optionNamed(command, entry.key);
    if (found === undefined) {
      await refuseUnknown(entry, { path, scope, all });
      continue;
    }
    const { option, inverted } = found;
    const key = option.attributeName();
    const before = set.get(key);
    if (before !== undefined && before.key !== entry.key)
      throw configFault(path, entry.line, `${quoted(entry)} and ${quoted(before)} say the same.`);
    set.set(key, entry);
    const source = command.getOptionValueSource(key);
    try {
      const value = valueFromJson(option, entry.value, inverted);
      if (source === undefined || source === 'default' || source === 'config')
        command.setOptionValueWithSource(key, value, 'config');
    } catch (thrown) {
      if (!(thrown instanceof InvalidArgumentError)) throw thrown;
      throw configFault(path, entry.line, `the value of ${quoted(entry)} is invalid. ${thrown.message}`);
    }
  }
}

interface Meant {
  readonly entry: ConfigEntry;
  /** Whose section it stands in: options of what is below may stand there too. */
  readonly scope: Command;
}

/** The options that concern a command: those at the top first, which the sections override. */
function entriesFor(command: Command, entries: readonly ConfigEntry[]): Meant[] {
  const chain: Command[] = [];
  let program = command;
  for (; program.parent !== null; program = program.parent) chain.unshift(program);
  const meant: Meant[] = [];
  let level: readonly ConfigEntry[] | null = entries;
  let owner = program;
  for (const next of [...chain, null]) {
    const names = new Set(owner.commands.map((sub) => sub.name()));
    for (const entry of level ?? [])
      if (entry.entries === null || !names.has(entry.key)) meant.push({ entry, scope: owner });
    if (next === null) break;
    level = level?.find(({ key, entries: inner }) => key === next.name() && inner !== null)?.entries ?? null;
    owner = next;
  }
  return meant;
}

interface Where {
  readonly path: string;
  readonly scope: Command;
  readonly all: AllCommands;
}

/** @throws FsError EINVAL unless it is an option of another command, in a place for both */
async function refuseUnknown(entry: ConfigEntry, { path, scope, all }: Where): Promise<void> {
  const isOption = (one: Command): boolean =>
    optionNamed(one, entry.key) !== undefined || one.commands.some(isOption);
  const isTop = scope.parent === null;
  if (isOption(isTop ? await all() : scope)) return;
  const what = isTop ? 'no option and no command' : `no option of acheron ${scope.name()}`;
  throw configFault(path, entry.line, `${quoted(entry)} is ${what}.`);
}

const quoted = ({ key }: ConfigEntry): string => JSON.stringify(key);

/** The config file in use and what it says, of all commands; a path of null where there is none. */
export function configFile(): {
  readonly path: string | null;
  readonly values: readonly (readonly [key: string, value: JsonValue])[];
} {
  const path = usedPath === undefined ? defaultPath() : usedPath;
  const flat = (entries: readonly ConfigEntry[]): [string, JsonValue][] =>
    entries.flatMap(({ key, value, entries: inner }) => [
      [key, value] as [string, JsonValue],
      ...flat(inner ?? []),
    ]);
  return { path, values: path === null ? [] : flat(readConfigDocument(path)) };
}

function configPath(command: Command): string | null {
  const { config } = command.opts<{ config?: string }>();
  return config ?? defaultPath();
}

function defaultPath(): string | null {
  const { ACHERON_CONFIG, XDG_CONFIG_HOME } = process.env;
  if (ACHERON_CONFIG !== undefined && ACHERON_CONFIG !== '') return ACHERON_CONFIG;
  const own = join(XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'acheron', 'config.json');
  return [own, '/etc/acheron/config.json'].find((path) => existsSync(path)) ?? null;
}
