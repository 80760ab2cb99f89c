import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { FsError, type Log, reasonOf } from '../core/index.js';
import { readGivenSecret } from '../disk/index.js';
import type { TreeAddress } from '../compose/index.js';
import { controlUrlsFrom } from './control-url.js';
import { idArgument, option } from './options.js';

/** Options of all commands that see the tree of a control plane. */
export interface PlaneFlags {
  readonly controlUrl?: string;
  readonly tokenFile?: string;
  readonly tlsCa?: string;
  readonly project?: string;
  readonly projectTokenFile?: string;
}

export function addPlaneOptions(command: Command): Command {
  return command
    .addOption(controlUrlOption())
    .addOption(tokenFileOption())
    .addOption(tlsCaOption())
    .addOption(option('--project <id>', 'the project to attach to').argParser(idArgument))
    .addOption(option('--project-token-file <file>', "a file with the project's token"));
}

export const controlUrlOption = (): ReturnType<typeof option> =>
  option('--control-url <url>', 'the control plane; several that do the same: a,b,c').argParser(
    controlUrlsFrom,
  );

export const tokenFileOption = (): ReturnType<typeof option> =>
  option('--token-file <file>', 'a file with the token (else ACHERON_TOKEN)');

export const tlsCaOption = (): ReturnType<typeof option> =>
  option('--tls-ca <file>', 'certificates to trust, PEM, beside those of the system');

/** @throws FsError EACCES where there is no token, and when a file cannot be read. */
export function treeAddressFrom(flags: PlaneFlags & { controlUrl: string }, log?: Log): TreeAddress {
  const token = flags.tokenFile === undefined ? process.env.ACHERON_TOKEN?.trim() : secretIn(flags.tokenFile);
  if (token === undefined || token === '')
    throw new FsError('EACCES', 'There is no token.', {
      hint: 'Name its file with --token-file, or set ACHERON_TOKEN. acheron token create makes one.',
    });
  return {
    url: flags.controlUrl,
    token,
    ca: certificatesIn(flags.tlsCa),
    ...(flags.project === undefined
      ? {}
      : {
          project: {
            id: flags.project,
            token: flags.projectTokenFile === undefined ? null : secretIn(flags.projectTokenFile),
          },
        }),
    ...(log === undefined ? {} : { log }),
  };
}

export function certificatesIn(path: string | undefined): string | undefined {
  return path === undefined ? undefined : textIn(path);
}

/** The first line of a file that holds a secret. */
export function secretIn(path: string): string {
  const [firstLine = ''] = secretTextIn(path).split('\n');
  const secret = firstLine.trim();
  if (secret === '') throw new FsError('EACCES', `The file ${path} is empty.`, { path });
  return secret;
}

/** All of a file that holds a secret, which nobody else may read. @throws FsError EACCES, with what to do */
export function secretTextIn(path: string): string {
  return readOrSay(path, readGivenSecret);
}

export function textIn(path: string): string {
  return readOrSay(path, (file) => readFileSync(file, 'utf8'));
}

function readOrSay(path: string, read: (path: string) => string): string {
  try {
    return read(path);
  } catch (thrown) {
    if (FsError.is(thrown)) throw thrown;
    throw new FsError(FsError.from(thrown).code, `${path} cannot be read: ${reasonOf(thrown)}.`, {
      hint: 'Name a file that is there and that this user may read.',
      path,
      cause: thrown,
    });
  }
}
