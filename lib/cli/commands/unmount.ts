import { resolve } from 'node:path';
import { Command } from 'commander';
import { unmountDir } from '../../fuse/index.js';

export function unmountCommand(): Command {
  return new Command('unmount')
    .description(
      'Unmount a directory, also when its server is dead or hangs. The process that serves it ends by itself.',
    )
    .argument('<dir>', 'where it is mounted')
    .addHelpText('after', '\nExample:\n  $ acheron unmount ./mnt')
    .action(async (dir: string) => {
      const outcome = await unmountDir(resolve(dir));
      process.stdout.write(
        outcome === 'not-mounted' ? `Nothing is mounted on ${dir}.\n` : `Unmounted ${dir}.\n`,
      );
    });
}
