import { statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { FsError } from '../../core/index.js';
import { makeDirs } from '../../linux/index.js';
import { STARTERS, filesOfStarter, type StarterFile } from '../driver-starters/index.js';
import { idArgument } from '../options.js';
import { writeOut } from '../write-out.js';

interface NewFlags {
  readonly lang: string;
  readonly dir?: string;
}

export function driverCommand(): Command {
  const command = new Command('driver')
    .description('Start a driver of your own.')
    .addHelpText('after', EXAMPLES);
  command
    .command('new')
    .description('Write a driver that works, its manifest and a README into a new folder.')
    .argument('<name>', 'the name of the service', idArgument)
    .addOption(
      new Option('--lang <language>', 'what to write it in').choices([...STARTERS.keys()]).default('sh'),
    )
    .option('--dir <dir>', 'where to put it (default: a folder of its name)')
    .addHelpText('after', EXAMPLES)
    .action((name: string, flags: NewFlags) => createDriver(name, flags));
  return command;
}

function createDriver(name: string, { lang, dir }: NewFlags): void {
  const folder = resolve(dir ?? name);
  const starter = STARTERS.get(lang);
  if (starter === undefined) throw new TypeError(`There is no starter in ${lang}.`);
  const files = filesOfStarter(name, starter);
  for (const file of files.keys()) refuseToOverwrite(join(folder, file));
  for (const [file, content] of files) writeNew(join(folder, file), content);
  const shown = relative(process.cwd(), folder) || '.';
  void writeOut(
    [
      ...[...files.keys()].map((file) => join(shown, file)),
      `Go on with: cat ${join(shown, 'README.md')}`,
      '',
    ].join('\n'),
  );
}

function refuseToOverwrite(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return;
  throw new FsError('EEXIST', `${path} exists already. Nothing was written.`, {
    hint: 'Choose another name, or another folder with --dir.',
    path,
  });
}

/** Writable by its owner alone, whatever the umask: a node takes nothing that others may write to. */
function writeNew(path: string, { text, executable }: StarterFile): void {
  try {
    makeDirs(dirname(path), 0o755);
    writeFileSync(path, text, { mode: executable ? 0o755 : 0o644, flag: 'wx' });
  } catch (thrown) {
    throw FsError.from(thrown);
  }
}

const EXAMPLES = `
Examples:
  $ acheron driver new word-count --lang python
  $ acheron driver new resize --lang rust --dir ~/services/resize
  $ cd word-count && acheron up ./mnt --services-dir .

acheron help drivers says how to write one.`;
