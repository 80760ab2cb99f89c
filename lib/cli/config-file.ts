import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { FsError, isJsonObject, type JsonValue } from '../core/index.js';

/**
 * Options from a config file, for those that neither a flag nor the environment sets: a JSON object whose
 * keys are the long option names (`"state-dir"`). `ACHERON_CONFIG` names it; else the user's, else /etc's.
 */
export function applyConfigFile(command: Command): void {
  const path = configPath(process.env);
  if (path === null) return;
  const config = readConfig(path);
  for (const option of command.options) {
    const value = config.get(option.name());
    const key = option.attributeName();
    const source = command.getOptionValueSource(key);
    if (value === undefined || (source !== undefined && source !== 'default')) continue;
    command.setOptionValueWithSource(key, parsed(option.parseArg, value), 'config');
  }
}

/** The config file and what it says; a path of null where there is none. */
export function configFile(): {
  readonly path: string | null;
  readonly values: ReadonlyMap<string, JsonValue>;
} {
  const path = configPath(process.env);
  return { path, values: path === null ? new Map() : readConfig(path) };
}

function configPath(env: NodeJS.ProcessEnv): string | null {
  if (env.ACHERON_CONFIG !== undefined) return env.ACHERON_CONFIG;
  const own = join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'acheron', 'config.json');
  return [own, '/etc/acheron/config.json'].find((path) => existsSync(path)) ?? null;
}

function readConfig(path: string): Map<string, JsonValue> {
  try {
    const config: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isJsonObject(config)) return new Map(Object.entries(config));
  } catch (thrown) {
    throw new FsError('EINVAL', `The config file ${path} cannot be used: ${FsError.from(thrown).message}.`, {
      hint: 'It must be a JSON object whose keys are long option names, for instance {"state-dir": "/srv/acheron"}.',
      path,
    });
  }
  throw new FsError('EINVAL', `The config file ${path} is not a JSON object.`, {
    hint: 'Its keys are long option names.',
    path,
  });
}

/** A list gives a repeatable option each of its values. */
function parsed(parse: ((text: string, before: never) => unknown) | undefined, value: JsonValue): unknown {
  if (parse === undefined) return value;
  const texts = Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
  let result: unknown;
  for (const text of texts)
    result = parse(typeof text === 'string' ? text : JSON.stringify(text), result as never);
  return result;
}
