import { createHash } from 'node:crypto';
import { InvalidArgumentError, type Command } from 'commander';
import {
  chooseBinding,
  sourceWithServer,
  type BindingName,
  type CloseReason,
  type Mount,
} from '../fuse/index.js';
import { localSession, type Role, type Session } from '../policy/index.js';
import { FsError, type Log } from '../core/index.js';
import type { Vfs } from '../vfs/index.js';
import { linkRule } from '../worldfs/index.js';
import { collect, idArgument, integer, option, repeating } from './options.js';

/** Uids from here on are nobody's, or stand for "unchanged". */
const END_OF_UIDS = 4_294_967_294;

/** Options of all commands that mount in their process. */
export interface KernelFlags {
  readonly fuseBinding: 'auto' | BindingName;
  readonly allowOther?: boolean;
  readonly allowUid?: readonly number[];
  readonly mapUid?: ReadonlyMap<number, number>;
  readonly background?: boolean;
  readonly followOutsideLinks?: boolean;
  readonly readOnly?: boolean;
}

/** The same, where the session is set here and not by a token. */
export interface MountFlags extends KernelFlags {
  readonly role: Role;
  readonly agent?: string;
  readonly passthrough: boolean;
}

export function addMountOptions(command: Command): Command {
  return addKernelOptions(command)
    .addOption(
      option('--no-passthrough', 'never let the kernel read and write files of exports without this process'),
    )
    .addOption(option('--role <role>', 'what the mount may do').choices(['admin', 'user']).default('admin'))
    .addOption(option('--agent <id>', 'on whose behalf the mount acts').argParser(idArgument));
}

export function addKernelOptions(command: Command): Command {
  return command
    .addOption(
      option('--fuse-binding <name>', 'the binding to the kernel')
        .choices(['auto', 'kernel', 'fuse-native'])
        .default('auto'),
    )
    .addOption(option('--allow-other', 'let other local users in whom --allow-uid names'))
    .addOption(
      option(
        '--allow-uid <uid>',
        'a local user who may use the mount, but for exports of other machines (repeatable)',
      ).argParser(collect(integer(0))),
    )
    .addOption(
      option(
        '--map-uid <local:remote>',
        'a local user (uid) who acts as the user <remote> in exports of other machines that allow it by :map= (repeatable)',
      ).argParser(collectUids),
    )
    .addOption(
      option(
        '--follow-outside-links',
        'let symlinks of exports lead out of them, with the rights of the user who follows',
      ),
    )
    .addOption(
      option(
        '--read-only',
        'let nobody write through the mount: what is there can be looked at, and not called',
      ),
    )
    .addOption(option('--background', 'return when the mount is ready, and go on in the background'));
}

/** `local:remote`, repeatable. */
const collectUids = repeating(
  (text: string, before: ReadonlyMap<number, number> | undefined): ReadonlyMap<number, number> => {
    const [local = NaN, remote = NaN] = (/^(\d+):(\d+)$/.exec(text) ?? []).slice(1).map(Number);
    if (!(local < END_OF_UIDS && remote < END_OF_UIDS))
      throw new InvalidArgumentError('It must look like 1000:2000, the uid here and the uid there.');
    if (before?.has(local) === true)
      throw new InvalidArgumentError(`The user ${local} can be mapped to one other alone.`);
    return new Map([...(before ?? []), [local, remote]]);
  },
);

export function sessionFromFlags(flags: MountFlags): Session {
  return localSession(flags.role, flags.agent ?? null);
}

/**
 * The name that a mount bears in the table of mounts: its kind, and a hash of for whom it is (role, agent,
 * token, state …). Two mounts of equal names show the same.
 */
export function mountNameFrom(kind: 'up' | 'node' | 'mount', identity: readonly unknown[]): string {
  const hash = createHash('sha256')
    .update(JSON.stringify(identity.map((one) => one ?? null)))
    .digest('hex');
  return `acheron:${kind}:${hash.slice(0, 16)}`;
}

/** The name of a mount that a node has of its own. */
export function standaloneMountName(
  kind: 'up' | 'node',
  { role, agent, stateDir, stateFile }: MountFlags & { stateDir: string; stateFile?: string },
): string {
  return mountNameFrom(kind, [role, agent, stateDir, stateFile]);
}

/** @throws FsError ENODEV where nothing can be mounted, EINVAL for options at odds, and what the binding throws. */
export async function mountTree(
  vfs: Vfs,
  dir: string,
  flags: KernelFlags,
  sessionOf: () => Session,
  { fsname, handsOver, log }: { readonly fsname: string; readonly handsOver?: boolean; readonly log: Log },
): Promise<Mount> {
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const letIn = new Set([owner.uid, ...(flags.allowOther === true ? (flags.allowUid ?? []) : [])]);
  for (const uid of flags.mapUid?.keys() ?? []) {
    if (letIn.has(uid)) continue;
    throw new FsError('EINVAL', `--map-uid names the user ${uid}, whom the mount does not let in.`, {
      hint: `Add --allow-other --allow-uid ${uid}.`,
    });
  }
  const binding = await chooseBinding(flags.fuseBinding);
  return binding.mount(vfs, {
    dir,
    sessionOf,
    allowOther: flags.allowOther === true,
    allowUids: flags.allowUid ?? [],
    readOnly: flags.readOnly === true,
    remoteUids: flags.mapUid,
    owner,
    handsOver,
    linkRule: linkRule({ followOutside: flags.followOutsideLinks === true }),
    log,
    fsname: sourceWithServer(fsname),
  });
}

/** Whether that is why a mount is gone; a signal's name, for instance, is not. */
export function isFailedClose(reason: unknown): reason is CloseReason & { how: 'failed' } {
  return typeof reason === 'object' && (reason as CloseReason | null)?.how === 'failed';
}
