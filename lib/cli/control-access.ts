import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { FsError, reasonOf } from '../core/index.js';
import { readGivenSecret, requirePrivateDir } from '../disk/index.js';
import { ControlClient, faultOf } from '../control/client/index.js';
import { ownAuthority } from './auto-tls/auto-tls.js';
import { addressesIn } from '../transport/index.js';
import { DEFAULT_CONTROL_URL, controlUrlsFrom, knownControlUrl } from './control-url.js';
import { planeBegun } from './plane-beginning.js';
import { option, stateDirOption } from './options.js';

export interface ControlFlags {
  readonly stateDir: string;
  readonly controlUrl?: string;
  readonly tokenFile?: string;
  readonly tlsCa?: string;
}

/** Where the control plane is, and as whom to speak to it. */
export function addControlOptions(command: Command): Command {
  return command
    .addOption(
      option(
        '--control-url <url>',
        `the control plane (several that do the same: a,b,c); else that of the state directory, else ${DEFAULT_CONTROL_URL}`,
      ).argParser(controlUrlsFrom),
    )
    .addOption(
      option(
        '--token-file <file>',
        'whose first line is the token; else ACHERON_TOKEN, else admin.token in the state directory',
      ),
    )
    .addOption(option('--tls-ca <file>', 'certificates to trust, PEM, beside those of the system'))
    .addOption(stateDirOption());
}

/** A secret, and where it comes from, for messages. */
interface FoundToken {
  readonly token: string;
  readonly source: string;
}

/**
 * The token of a command: `--token-file`, ACHERON_TOKEN, ACHERON_TOKEN_FILE or the config file, and at last
 * the admin's of a control plane with this state directory. Never an argument: those show in `ps`.
 * @throws FsError EACCES when there is none, or `url` is not where the one that was found belongs.
 */
export function findToken(command: Command, flags: ControlFlags, url: string): FoundToken {
  const { ACHERON_TOKEN } = process.env;
  const named = flags.tokenFile;
  if (named !== undefined && command.getOptionValueSource('tokenFile') === 'cli') return tokenIn(named);
  if (ACHERON_TOKEN !== undefined && ACHERON_TOKEN.trim() !== '')
    return { token: ACHERON_TOKEN.trim(), source: 'ACHERON_TOKEN' };
  if (named !== undefined) return tokenIn(named);
  requirePrivateDir(flags.stateDir);
  if (!addressesIn(url).every((one) => staysHere(one, flags.stateDir)))
    throw new FsError('EACCES', `The admin's token of this machine is not sent to ${url}.`, {
      hint: `It belongs to the control plane with the state directory ${flags.stateDir}. Give the token of that one with --token-file, or ACHERON_TOKEN.`,
    });
  return tokenIn(join(flags.stateDir, 'admin.token'), true);
}

/**
 * Whether what is sent to `url` reaches nobody but this machine, or, over TLS, the control plane that has
 * this state directory, where it said that it listens. A name may be anybody's: `localhost` alone is ours.
 */
function staysHere(url: string, stateDir: string): boolean {
  const { protocol, hostname } = new URL(url);
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  if (address === 'localhost' || address === '0.0.0.0' || address === '::') return true;
  if (/^127(\.\d{1,3}){3}$/.test(address)) return true;
  const own = Object.values(networkInterfaces()).flatMap((interfaces) => interfaces ?? []);
  if (address === '::1' || own.some((one) => one.address === address)) return true;
  return protocol === 'wss:' && url === knownControlUrl(stateDir);
}

function tokenIn(path: string, isGuess = false): FoundToken {
  let text: string;
  try {
    text = readGivenSecret(path);
  } catch (thrown) {
    if (FsError.is(thrown)) throw thrown;
    const { code } = FsError.from(thrown);
    if (isGuess && code === 'ENOENT')
      throw new FsError('EACCES', `There is no token: ${path} does not exist.`, {
        hint: 'Where `acheron control` runs, name its state directory with --state-dir. Elsewhere, give --token-file or ACHERON_TOKEN.',
        path,
      });
    throw new FsError(code, `The token file ${path} cannot be read: ${reasonOf(thrown)}.`, {
      hint: 'Name a file that you may read with --token-file, or set ACHERON_TOKEN.',
      path,
      cause: thrown,
    });
  }
  const [firstLine = ''] = text.split('\n');
  const token = firstLine.trim();
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new FsError(
      'EACCES',
      `The token file ${path} ${token === '' ? 'is empty' : 'is damaged: it holds no token'}.`,
      {
        hint: 'Restore it from a backup, or give another one with --token-file. An admin makes a new token with: acheron token create.',
        path,
      },
    );
  return { token, source: path };
}

/** The certificates to trust besides those of the system, PEM: those that are named, else what this machine's control plane made. */
export function authorityOf({ tlsCa, stateDir }: ControlFlags, url: string): string | undefined {
  if (tlsCa !== undefined) return readFileSync(tlsCa, 'utf8');
  const isOurs = addressesIn(url).every((one) => one.startsWith('wss:') && staysHere(one, stateDir));
  return isOurs ? ownAuthority(stateDir) : undefined;
}

/** A control plane that a command speaks to. */
export interface ControlAccess {
  readonly client: ControlClient;
  /** The address, or those that there are, with commas between; `client.url` is the one in use. */
  readonly url: string;
  /** Certificates to trust, PEM. */
  readonly ca: string | undefined;
  /** Where the token is from. */
  readonly tokenSource: string;
}

/**
 * Connects, runs `use`, and disconnects. With `lasting`, a connection that is lost comes back by itself;
 * what fails before the first one is always thrown.
 * @throws FsError EHOSTDOWN (nobody there), EACCES (the token is not good, or not enough)
 */
export async function withControl<Result>(
  command: Command,
  flags: ControlFlags,
  use: (access: ControlAccess) => Promise<Result>,
  { lasting = false }: { readonly lasting?: boolean } = {},
): Promise<Result> {
  if (flags.controlUrl === undefined) await planeBegun(flags.stateDir);
  const url = flags.controlUrl ?? knownControlUrl(flags.stateDir);
  const { token, source: tokenSource } = findToken(command, flags, url);
  let wasThere = false;
  const ca = authorityOf(flags, url);
  const client = new ControlClient({
    url,
    token,
    ca,
    connect: () => ({ client: 'acheron' }),
    isFinal: (error) => !lasting || !wasThere || error.code === 'EACCES',
  });
  const access = { client, url, ca, tokenSource };
  try {
    await client.start().ready();
    wasThere = true;
    return await use(access);
  } catch (thrown) {
    throw explained(thrown, access);
  } finally {
    client.close();
  }
}

/** The same failure, with what to do about it here. */
function explained(thrown: unknown, { url, tokenSource, client }: ControlAccess): unknown {
  if (!FsError.is(thrown)) return thrown;
  const { code, message } = thrown;
  if (thrown.code === 'EHOSTDOWN')
    return new FsError(code, `The control plane at ${url} is not available. ${message}`, {
      hint: thrown.hint ?? 'Start it with `acheron control`, or say where it is with --control-url.',
      cause: thrown,
    });
  if (faultOf(thrown)?.code === 'forbidden' && client.welcome?.role === 'user')
    return new FsError(code, message, {
      hint: `The token (${tokenSource}) is a user's. Give an admin's with --token-file.`,
      cause: thrown,
    });
  if (code === 'EACCES' && thrown.path === undefined)
    return new FsError(code, `The control plane at ${url} does not take this token. ${message}`, {
      hint: `The token is from ${tokenSource}. It may have been revoked or rotated, or belong to another control plane; \`acheron token create\` makes one.`,
      cause: thrown,
    });
  return thrown;
}
