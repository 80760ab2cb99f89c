import { FsError, dropOldest } from '../../core/index.js';
import { principalOf } from '../../policy/index.js';
import {
  BaseFile,
  ReadOnlyDir,
  ReadOnlyHandle,
  dirStat,
  entryOf,
  fileStat,
  noSuchEntry,
  newIno,
  nsFromMs,
  type AttrChange,
  type Awaitable,
  type Created,
  type DirEntry,
  type DirNode,
  type FileHandle,
  type Freshness,
  type Node,
  type OpenFlags,
  type Op,
  type Stat,
} from '../../vfs/index.js';
import { CallFolder, callOfName, incompleteIn, refuseOutcome } from '../calls/call-folder.js';
import type { Draft } from '../calls/draft.js';
import { errorTextOfJob, isKeyed, type Job, type KeyedJob } from '../jobs/job.js';
import type { Service } from '../service.js';
import { resultText } from './job-dir.js';
import { JobDocument } from './job-files-dir.js';

/** So many principals have files here, those that wrote last. */
const MAX_FOLDERS = 1000;

/**
 * `calls/`, for programs that write a file and give it its name when it is complete: what comes to be called
 * NAME.json is submitted, with NAME as its key, and NAME.result.json or NAME.error.txt appears beside it.
 */
export class CallsDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #service: Service;
  readonly #folders = new Map<string, CallFolder>();
  readonly #outcomes = new WeakMap<Job, Map<string, Node>>();
  readonly #draftFiles = new WeakMap<Draft, DraftFile>();

  constructor(service: Service) {
    super();
    this.#service = service;
  }

  stat(op: Op): Stat {
    this.#service.gate.require(op.session, 'observe');
    const newest = this.#service.jobs.newestKeyMs(principalOf(op.session)) ?? 0;
    const changedAtMs = Math.max(this.#folderOf(op)?.changedAtMs ?? this.#service.definedAtMs, newest);
    return dirStat(this.ino, nsFromMs(changedAtMs), this.#mayCall(op) ? 0o755 : 0o555);
  }

  lookup(name: string, op: Op): Node {
    this.#service.gate.require(op.session, 'observe');
    const node = this.#draftFile(name, op) ?? this.#refusal(name, op) ?? this.#fileOfJob(name, op);
    if (node === undefined) throw noSuchEntry(name);
    return node;
  }

  list(op: Op): readonly DirEntry[] {
    this.#service.gate.require(op.session, 'observe');
    const folder = this.#folderOf(op);
    const names = new Set(folder?.drafts.keys());
    for (const call of folder?.refusals.keys() ?? []) names.add(`${call}.error.txt`);
    for (const job of this.#service.jobs.list(principalOf(op.session)))
      if (isKeyed(job)) for (const name of this.#filesOf(job, op).keys()) names.add(name);
    return [...names].map((name) => entryOf(name, this.lookup(name, op)));
  }

  override create(name: string, flags: OpenFlags, _mode: number, op: Op): Created {
    this.#service.authorize(op.session, 'invoke');
    const existing = this.#existing(name, op);
    if (existing !== undefined && flags.exclusive)
      throw new FsError('EEXIST', `${JSON.stringify(name)} is there already.`);
    if (existing !== undefined && !(existing instanceof DraftFile)) refuseUsed(name);
    const node = existing ?? this.#fileOf(name, this.#folder(op).create(name));
    return { node, handle: node.open(flags, op) };
  }

  override unlink(name: string, op: Op): void {
    this.#service.authorize(op.session, 'invoke');
    this.lookup(name, op);
    const folder = this.#folder(op);
    if (folder.remove(name)) return;
    const call = name.replace(/\.(result\.json|error\.txt|json)$/, '');
    if (name.endsWith('.error.txt') && folder.refusals.delete(call)) return;
    this.#service.jobs.byKey(principalOf(op.session), call)?.hidden.add(`calls/${name}`);
  }

  override rename(name: string, toDir: DirNode, toName: string, flags: number, op: Op): Awaitable<void> {
    this.#service.authorize(op.session, 'invoke');
    if (toDir !== this) throw new FsError('EXDEV', 'A file here cannot be moved to another directory.');
    if (flags > 1) throw new FsError('EINVAL', 'Files here cannot be exchanged.');
    const node = this.lookup(name, op);
    if (!(node instanceof DraftFile)) refuseUsed(name);
    if (name === toName) return;
    const target = this.#existing(toName, op);
    if (target !== undefined && flags === 1)
      throw new FsError('EEXIST', `${JSON.stringify(toName)} is there already.`);
    refuseOutcome(toName);
    return this.#folder(op).move(name, toName, op.session);
  }

  #mayCall(op: Op): boolean {
    return this.#service.gate.allows(op.session, 'invoke');
  }

  #existing(name: string, op: Op): Node | undefined {
    try {
      return this.lookup(name, op);
    } catch (thrown) {
      if (FsError.from(thrown).code === 'ENOENT') return undefined;
      throw thrown;
    }
  }

  #folderOf(op: Op): CallFolder | undefined {
    return this.#folders.get(principalOf(op.session));
  }

  #folder(op: Op): CallFolder {
    const principal = principalOf(op.session);
    const folder = this.#folders.get(principal) ?? new CallFolder(this.#service);
    this.#folders.delete(principal);
    this.#folders.set(principal, folder);
    dropOldest(this.#folders, MAX_FOLDERS);
    return folder;
  }

  #draftFile(name: string, op: Op): DraftFile | undefined {
    const draft = this.#folderOf(op)?.drafts.get(name);
    return draft === undefined ? undefined : this.#fileOf(name, draft);
  }

  #fileOf(name: string, draft: Draft): DraftFile {
    let file = this.#draftFiles.get(draft);
    if (file?.name !== name) {
      file = new DraftFile(this.#service, draft, name, (op) => this.#folder(op));
      this.#draftFiles.set(draft, file);
    }
    return file;
  }

  #refusal(name: string, op: Op): Node | undefined {
    const call = /^(.*)\.error\.txt$/.exec(name)?.[1];
    const refusal = call === undefined ? undefined : this.#folderOf(op)?.refusals.get(call);
    if (refusal === undefined) return undefined;
    const check = (later: Op): void => this.#service.gate.require(later.session, 'observe');
    const { ino, text, atMs } = refusal;
    return new JobDocument(() => ({ bytes: text, mtimeNs: nsFromMs(atMs) }), ino, check);
  }

  #fileOfJob(name: string, op: Op): Node | undefined {
    const call = /^(.*?)\.(result\.json|error\.txt|json)$/.exec(name)?.[1];
    const job = call === undefined ? undefined : this.#service.jobs.byKey(principalOf(op.session), call);
    return job === undefined ? undefined : this.#filesOf(job, op).get(name);
  }

  /** The files that show a job here: its request, and its outcome once it has ended. */
  #filesOf(job: KeyedJob, op: Op): Map<string, Node> {
    const ended = job.end === null ? [] : [job.end.state === 'ok' ? 'result.json' : 'error.txt'];
    const kinds = job.request.size === 0 ? ended : ['json', ...ended];
    const files = new Map<string, Node>();
    for (const kind of kinds) {
      const name = `${job.key}.${kind}`;
      if (!job.hidden.has(`calls/${name}`)) files.set(name, this.#fileOfKind(job, kind, op));
    }
    return files;
  }

  #fileOfKind(job: Job, kind: string, op: Op): Node {
    let files = this.#outcomes.get(job);
    if (files === undefined) this.#outcomes.set(job, (files = new Map<string, Node>()));
    let file = files.get(kind);
    if (file === undefined) {
      const check = (later: Op): void => this.#service.gate.require(later.session, 'observe');
      const bytes = (): Buffer =>
        kind === 'json'
          ? Buffer.concat([job.request.all(), Buffer.from('\n')])
          : kind === 'result.json'
            ? resultText(job)
            : Buffer.from(errorTextOfJob(job));
      const timeMs = kind === 'json' || job.end === null ? job.acceptedAtMs : job.end.finishedAtMs;
      const ino =
        kind === 'json' ? (this.#folderOf(op)?.inoOf(job) ?? job.inoOf('calls')) : job.inoOf(`calls/${kind}`);
      file = new JobDocument(() => ({ bytes: bytes(), mtimeNs: nsFromMs(timeMs) }), ino, check);
      files.set(kind, file);
    }
    return file;
  }
}

/** @throws FsError EEXIST */
function refuseUsed(name: string): never {
  throw new FsError('EEXIST', `${JSON.stringify(name)} was submitted already.`, {
    hint: 'Take another name for another request: the name is the key of the call.',
  });
}

/** A file that is not submitted yet. */
class DraftFile extends BaseFile {
  readonly ino: bigint;
  override readonly freshness: Freshness = 'live';
  readonly name: string;
  readonly draft: Draft;
  readonly #service: Service;
  readonly #folder: (op: Op) => CallFolder;

  constructor(service: Service, draft: Draft, name: string, folder: (op: Op) => CallFolder) {
    super();
    this.ino = draft.ino;
    this.name = name;
    this.draft = draft;
    this.#service = service;
    this.#folder = folder;
  }

  require(op: Op, writes: boolean): void {
    this.#service.gate.require(op.session, writes ? 'invoke' : 'observe');
  }

  stat(op: Op): Stat {
    this.require(op, false);
    const mode = this.#service.gate.allows(op.session, 'invoke') ? 0o644 : 0o444;
    return fileStat(this.ino, nsFromMs(this.draft.mtimeMs), mode, this.draft.size);
  }

  override setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    if (change.size === undefined) return super.setattr(change, op);
    this.require(op, true);
    this.draft.truncate(change.size, this.#service.nowMs);
    return this.stat(op);
  }

  open(flags: OpenFlags, op: Op): FileHandle {
    if (flags.write) this.#service.authorize(op.session, 'invoke');
    this.require(op, false);
    if (flags.truncate) this.draft.truncate(0, this.#service.nowMs);
    return new DraftHandle(this, flags);
  }

  write(at: number, data: Uint8Array): void {
    this.draft.write(at, data, this.#service.nowMs);
  }

  /** What its last writer leaves is the request, where the name is that of a call. */
  submit(op: Op): Awaitable<void> {
    return this.#folder(op).submit(this.name, this.draft, op.session);
  }
}

class DraftHandle extends ReadOnlyHandle {
  readonly #file: DraftFile;
  readonly #flags: OpenFlags;
  /** The last write, unless what it wrote was submitted. */
  #wrote: Op | null = null;

  constructor(file: DraftFile, flags: OpenFlags) {
    super();
    this.#file = file;
    this.#flags = flags;
    file.draft.open();
  }

  stat(op: Op): Stat {
    return this.#file.stat(op);
  }

  override setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    return this.#file.setattr(change, op);
  }

  read(at: number, size: number, op: Op): Uint8Array {
    this.#file.require(op, false);
    return Buffer.from(this.#file.draft.bytes.subarray(at, at + size));
  }

  override write(at: number, data: Uint8Array, op: Op): number {
    if (!this.#flags.write) throw new FsError('EBADF', 'The file is not open for writing.');
    this.#file.require(op, true);
    this.#file.write(this.#flags.append ? this.#file.draft.size : at, data);
    this.#wrote = op;
    return data.length;
  }

  get needsFlush(): boolean {
    return this.#wrote !== null;
  }

  /** A close, perhaps of one of several descriptors: what is not complete yet may become so. */
  flush(op: Op): Awaitable<void> {
    if (this.#wrote === null || callOfName(this.#file.name) === null) return undefined;
    const incomplete = incompleteIn(this.#file.draft.bytes);
    return incomplete instanceof Promise
      ? incomplete.then((found) => this.#submitUnless(found, op))
      : this.#submitUnless(incomplete, op);
  }

  #submitUnless(incomplete: FsError | null, op: Op): Awaitable<void> {
    if (incomplete !== null) throw incomplete;
    this.#wrote = null;
    return this.#file.submit(op);
  }

  override async release(): Promise<void> {
    const op = this.#wrote;
    this.#wrote = null;
    try {
      if (op !== null) await this.#file.submit(op);
    } finally {
      this.#file.draft.close();
    }
  }
}
