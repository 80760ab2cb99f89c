import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Command } from 'commander';
import { FsError, isJsonObject } from '../../core/index.js';
import { idArgument } from '../options.js';
import { printJson, printLine } from '../print.js';
import { isBundled, servicesFolder, withRunningNode } from '../services-folder.js';
import { addLocalOptions, type LocalFlags } from '../tree-access.js';

type RmFlags = LocalFlags & { readonly servicesDir?: string; readonly json?: boolean };

export function rmCommand(): Command {
  const command = new Command('rm')
    .description(
      'Remove services: deletes their manifests. What a service keeps (config, counters, jobs) waits for its return, and the\nprograms that it ran are left alone.',
    )
    .argument('<service...>', 'names of services', (name: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      idArgument(name),
    ])
    .option('--services-dir <dir>', "where their manifests are (default: the running node's folders)")
    .option('--json', 'print what was removed as JSON');
  return addLocalOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  $ acheron rm disk\n  $ acheron rm zen issues --services-dir ./services',
    )
    .action((names: string[], flags: RmFlags) => remove(names, flags));
}

async function remove(names: readonly string[], flags: RmFlags): Promise<void> {
  const files = await withRunningNode(flags, async (running) => {
    const { servicesDir } = flags;
    const sources = new Map<string, string>(
      running?.node.services.map(({ serviceId, source }) => [serviceId, source]),
    );
    const folder =
      servicesDir === undefined && running !== null ? null : servicesFolder(servicesDir, running);
    return names.map((name) => {
      const file = folder === null ? sources.get(name) : manifestIn(folder, name);
      return fileOf(name, file);
    });
  });
  for (const file of files) {
    try {
      rmSync(file);
    } catch (thrown) {
      throw FsError.from(thrown);
    }
    if (flags.json !== true) await printLine(`removed ${shown(file)}`);
  }
  if (flags.json === true) await printJson({ services: names, files: files.map(shown) });
}

const shown = (file: string): string => relative(process.cwd(), file) || file;

/** Nothing is removed unless all can be. */
function fileOf(name: string, file: string | undefined): string {
  if (file === undefined)
    throw new FsError('ENOENT', `There is no service ${JSON.stringify(name)}. Nothing was removed.`, {
      hint: 'acheron status lists those of the node that runs here; --services-dir names a folder.',
    });
  if (isBundled(file) || idIn(file) === undefined)
    throw new FsError('EPERM', `${name} is built in. Nothing was removed.`, {
      hint: 'Start the node with --no-bundled, --no-fs-service or without --terminal-id to leave it out.',
    });
  if (idIn(file) !== name)
    throw new FsError(
      'EPERM',
      `${name} is not a manifest's own: it is offered by ${idIn(file) ?? file}. Nothing was removed.`,
      {
        hint: `Remove that one: acheron rm ${idIn(file) ?? ''}`,
      },
    );
  return file;
}

function manifestIn(folder: string, name: string): string | undefined {
  const own = resolve(join(folder, `${name}.json`));
  const others = namesIn(folder).map((file) => resolve(join(folder, file)));
  return [own, ...others].find((file) => idIn(file) === name);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
  } catch (thrown) {
    throw FsError.from(thrown);
  }
}

/** The service that a file is the manifest of. */
function idIn(file: string): string | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const id = isJsonObject(manifest) ? manifest['service_id'] : undefined;
    return typeof id === 'string' ? id : undefined;
  } catch {
    // It is no manifest, or not there.
    return undefined;
  }
}
