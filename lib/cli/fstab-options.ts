import type { Command, Option } from 'commander';
import { FsError } from '../core/index.js';
import { addressesIn } from '../transport/index.js';
import { controlUrlsFrom } from './control-url.js';
import { isSecret } from './options.js';
import { isSwitch } from './option-value.js';

/** Short names of options, as people write them in fstab. */
const ALIASES = new Map([
  ['token', 'token-file'],
  ['project-token', 'project-token-file'],
  ['ca', 'tls-ca'],
  ['ro', 'read-only'],
]);

/** What mount(8), systemd and the like read for themselves, or what always holds here. */
const FOR_OTHERS =
  /^(?:defaults|rw|(?:no)?auto|nofail|_netdev|_rnetdev|(?:no)?users?|owner|group|nosuid|nodev|(?:no|rel|strict)?atime|(?:no)?diratime|(?:no)?lazytime|async|exec|comment=.*|[xX][-.].*)$/;

/** The addresses that systemd's own reader of fstab has lost a slash of are meant too. */
const ADDRESS = /^(wss?|https?):\/+/;
const NO_ADDRESS = new Set(['acheron', 'none']);

/**
 * The arguments of `acheron mount` that mean what a line of fstab says: its source, and its options by the long names of the
 * command, with `_` or `-`.
 * @throws FsError EINVAL for what is neither an address nor an option; with `isSloppy`, the latter fall away
 */
export function mountArguments(
  { source, dir, options }: { readonly source: string; readonly dir: string; readonly options: string },
  mount: Command,
  isSloppy = false,
): string[] {
  const args = [dir, ...addressArguments(source)];
  for (const text of options.split(',').filter((one) => one !== '' && !FOR_OTHERS.test(one))) {
    const [, name = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(text) ?? [];
    const long = ALIASES.get(name.replaceAll('_', '-')) ?? name.replaceAll('_', '-');
    const option = mount.options.find((one) => one.long === `--${long}` && !isSecret(one));
    if (option !== undefined) args.push(argumentFor(option, text, value));
    else if (!isSloppy)
      throw new FsError('EINVAL', `There is no mount option "${name}".`, {
        hint: 'Options are the long ones of acheron mount, such as token=/etc/acheron/token, allow_other or ro; man mount.acheron lists them.',
      });
  }
  return args;
}

function addressArguments(source: string): string[] {
  if (NO_ADDRESS.has(source)) return [];
  const addresses = addressesIn(source).map((address) => address.replace(ADDRESS, '$1://'));
  try {
    return ['--control-url', controlUrlsFrom(addresses.join(','))];
  } catch (thrown) {
    throw new FsError('EINVAL', `${source} is no address of a control plane.`, {
      hint: 'Name it as wss://plane.example:18790/, or write "acheron" where the config file names it.',
      cause: thrown,
    });
  }
}

/** @throws FsError EINVAL for a value where none belongs, or none where one does */
function argumentFor(option: Option, text: string, value: string | undefined): string {
  if (isSwitch(option) !== (value === undefined))
    throw new FsError(
      'EINVAL',
      `The mount option "${text}" ${value === undefined ? 'needs a' : 'takes no'} value.`,
      {
        hint: `acheron mount has it as ${option.flags}.`,
      },
    );
  return value === undefined ? `--${option.name()}` : `--${option.name()}=${value}`;
}
