import type { Command } from 'commander';
import { storeAddressFrom, type StoreAddress } from '../cluster/index.js';
import type { SharedStore } from '../control/index.js';
import { controlUrlFrom } from './control-url.js';
import { option } from './options.js';
import { secretIn } from './plane-options.js';
import { VERSION } from './version.js';

/** Options of what has its state in PostgreSQL, in place of a file. */
export interface StoreFlags {
  readonly store?: StoreAddress;
  readonly storePasswordFile?: string;
}

export function addStoreOptions(command: Command): Command {
  return command
    .addOption(storeOption())
    .addOption(
      option(
        '--store-password-file <file>',
        'a file with the password of the store (else PGPASSWORD, or ~/.pgpass)',
      ),
    );
}

export const storeOption = (): ReturnType<typeof option> =>
  option(
    '--store <url>',
    'the state is in PostgreSQL, for several control planes: postgres://user@host1,host2/database',
  ).argParser(storeAddressFrom);

export const advertiseOption = (): ReturnType<typeof option> =>
  option(
    '--advertise <url>',
    'with --store: where the other control planes reach this one, ws://host:port or wss://…',
  ).argParser(controlUrlFrom);

/** @throws FsError EACCES where the file of the password cannot be read */
export function storePasswordFrom({ storePasswordFile }: StoreFlags): string | undefined {
  return storePasswordFile === undefined ? undefined : secretIn(storePasswordFile);
}

export function sharedStoreFrom(
  flags: StoreFlags & { readonly advertise?: string },
): SharedStore | undefined {
  if (flags.store === undefined) return undefined;
  const { store: address, advertise } = flags;
  return { address, password: storePasswordFrom(flags), version: VERSION, advertise };
}
