import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { PostgresLog, storeName, type ReplicatedLog } from '../../cluster/index.js';
import { FsError, silentLog } from '../../core/index.js';
import {
  backUpControl,
  backUpStore,
  exportStore,
  importIntoStore,
  restoreControl,
  restoreStore,
} from '../../control/index.js';
import { option, stateDirOption } from '../options.js';
import { addStoreOptions, storePasswordFrom, type StoreFlags } from '../store-options.js';
import { printNote } from '../print.js';
import { VERSION } from '../version.js';

interface StateFlags extends StoreFlags {
  readonly stateDir: string;
}

/** `acheron control backup`: the whole state of a control plane as one file. */
export function backupCommand(): Command {
  const command = new Command('backup')
    .description('Write all that the control plane knows into one file, also while it runs.')
    .argument(
      '<file>',
      'where to; replaced as a whole if it is there. It holds tokens: keep it as you keep those',
    )
    .addOption(stateDirOption());
  return addStoreOptions(command)
    .addHelpText('after', BACKUP_EXAMPLES)
    .action(async (name: string, flags: StateFlags) => {
      const file = resolve(name);
      const { stateDir, store } = flags;
      if (store !== undefined) {
        await withStore(flags, (log) => backUpStore(log, file, { release: VERSION, nowMs: Date.now() }));
        printNote(`What the control planes of ${storeName(store)} have is in ${file}.`);
        return;
      }
      await backUpControl(stateDir, file, { release: VERSION, nowMs: Date.now() });
      printNote(`The control plane of ${stateDir} is in ${file}.`);
    });
}

/** `acheron control restore`: what `backup` has written, as the state of a control plane. */
export function restoreCommand(): Command {
  const command = new Command('restore')
    .description('Make the state of a control plane out of a backup. It must not run.')
    .argument('<file>', 'what `acheron control backup` has written')
    .addOption(stateDirOption())
    .option('--replace', 'where there is a control plane: move it aside, whole');
  return addStoreOptions(command)
    .addHelpText('after', RESTORE_EXAMPLES)
    .action(async (name: string, flags: StateFlags & { readonly replace?: boolean }) => {
      const { stateDir, store, replace = false } = flags;
      if (store !== undefined) {
        const { madeAt } = await withStore(flags, (log) => restoreStore(log, resolve(name)));
        printNote(`${storeName(store)} has the control plane as it was at ${madeAt}.`);
        return;
      }
      const restored = await restoreControl(stateDir, resolve(name), { replace, nowMs: Date.now() });
      printNote(`${stateDir} has the control plane as it was at ${restored.madeAt}.`);
      if (restored.aside !== null) printNote(`What was there is in ${restored.aside}.`);
      printNote('Tokens and nodes that were revoked or deleted since then are good again.');
    });
}

interface ImportFlags extends StoreFlags {
  readonly from?: string;
  readonly to?: string;
}

/** `acheron control import`: from one control plane to several over a store, and back. */
export function importCommand(): Command {
  const command = new Command('import')
    .description('Move a control plane from its own database into a store for several, or back.')
    .addOption(
      option(
        '--from <dir>',
        'the state directory of the control plane that goes into the store; it must not run',
      ),
    )
    .addOption(option('--to <dir>', 'a state directory to be made of what is in the store'));
  return addStoreOptions(command)
    .addHelpText('after', IMPORT_EXAMPLES)
    .action(async (flags: ImportFlags) => {
      const { store, from, to } = flags;
      if (store === undefined || (from === undefined) === (to === undefined))
        throw new FsError('EINVAL', 'It needs --store, and either --from or --to.', {
          hint: 'For example: acheron control import --store postgres://acheron@db/acheron --from ~/.acheron',
        });
      if (from !== undefined) {
        const { aside } = await withStore(flags, (log) => importIntoStore(log, resolve(from)));
        printNote(`${storeName(store)} has the control plane of ${from}. Its database is kept as ${aside}.`);
        printNote('Tokens, nodes and sessions stay good. Start with --store now, on any number of machines.');
      } else if (to !== undefined) {
        await withStore(flags, (log) => exportStore(log, join(resolve(to), 'control.db')));
        printNote(
          `${to} has what is in ${storeName(store)}. End the control planes that use the store before one starts here.`,
        );
      }
    });
}

async function withStore<T>(flags: StoreFlags, act: (log: ReplicatedLog) => Promise<T>): Promise<T> {
  if (flags.store === undefined) throw new TypeError('There is no store.');
  const log = await PostgresLog.open({
    address: flags.store,
    password: storePasswordFrom(flags),
    log: silentLog,
  });
  try {
    return await act(log);
  } finally {
    await log.close();
  }
}

const IMPORT_EXAMPLES = `
Examples:
  $ acheron control import --store postgres://acheron@db1,db2/acheron --from /var/lib/acheron
  $ acheron control import --store postgres://acheron@db1,db2/acheron --to /var/lib/acheron-single`;

const BACKUP_EXAMPLES = `
Examples:
  $ acheron control backup /backup/plane.tgz
  $ tar -xOzf /backup/plane.tgz meta.json`;

const RESTORE_EXAMPLES = `
Examples:
  $ acheron control restore /backup/plane.tgz --state-dir /var/lib/acheron
  $ acheron control restore /backup/plane.tgz --replace && acheron control`;
