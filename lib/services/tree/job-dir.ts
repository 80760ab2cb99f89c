import { FsError, documentFromJson, indentJson } from '../../core/index.js';
import { principalOf, type Session } from '../../policy/index.js';
import {
  Document,
  GuardedHandle,
  ReadOnlyDir,
  SharedBytes,
  StreamFile,
  dirStat,
  entryOf,
  fileStat,
  noSuchEntry,
  nsFromMs,
  type DirEntry,
  type FileHandle,
  type Freshness,
  type Node,
  type OpenFlags,
  type Op,
  type Snapshot,
  type Stat,
} from '../../vfs/index.js';
import { statusOfJob, type Job } from '../jobs/job.js';
import type { Service } from '../service.js';
import { OneShotControl } from './one-shot-control.js';

/** Jobs belong to their principal; admins see everyone's. */
export function maySeeJob(session: Session, job: Job): boolean {
  return session.role === 'admin' || job.owner.principal === principalOf(session);
}

/** `jobs/<invocation_id>/`. */
export class JobDir extends ReadOnlyDir {
  readonly ino: bigint;
  override readonly freshness: Freshness = 'live';
  readonly #service: Service;
  readonly #job: Job;
  readonly #files: ReadonlyMap<string, Node>;

  constructor(service: Service, job: Job) {
    super();
    this.#service = service;
    this.#job = job;
    this.ino = job.ino;
    const request = new SharedBytes();
    const result = new SharedBytes();
    this.#files = new Map<string, Node>([
      [
        'request.json',
        this.#document(
          'request.json',
          () => request.of(`${job.request.size}`, () => requestText(job)),
          () => job.acceptedAtMs,
        ),
      ],
      [
        'status.json',
        this.#document(
          'status.json',
          () => documentFromJson(statusOfJob(job)),
          () => job.changedAtMs,
        ),
      ],
      [
        'result.json',
        this.#document(
          'result.json',
          () => result.of(`${job.end?.state ?? job.changedAtMs} ${job.result.size}`, () => resultText(job)),
          () => job.end?.finishedAtMs ?? job.acceptedAtMs,
        ),
      ],
      ['stdout', this.#stream('stdout')],
      ['stderr', this.#stream('stderr')],
      ['cancel', this.#cancelControl()],
    ]);
  }

  get job(): Job {
    return this.#job;
  }

  stat(op: Op): Stat {
    this.#require(op);
    return dirStat(this.ino, nsFromMs(this.#job.changedAtMs), this.#mayRemove(op.session) ? 0o755 : 0o555);
  }

  lookup(name: string, op: Op): Node {
    this.#require(op);
    const node = this.#job.hidden.has(name) ? undefined : this.#files.get(name);
    if (node === undefined) throw noSuchEntry(name);
    return node;
  }

  list(op: Op): readonly DirEntry[] {
    this.#require(op);
    return [...this.#files]
      .filter(([name]) => !this.#job.hidden.has(name))
      .map(([name, node]) => entryOf(name, node));
  }

  /** Hides the name, so that `rm -r` can empty the directory before it removes it. */
  override unlink(name: string, op: Op): void {
    this.lookup(name, op);
    this.requireRemovable(op);
    this.#job.hidden.add(name);
  }

  /** @throws FsError EACCES unless the session owns the job or may control the service. */
  requireRemovable(op: Op): void {
    this.#require(op);
    if (!this.#mayRemove(op.session)) throw new FsError('EACCES', 'This job belongs to another session.');
  }

  #mayRemove(session: Session): boolean {
    return (
      this.#job.owner.principal === principalOf(session) || this.#service.gate.allows(session, 'control')
    );
  }

  #require(op: Op): void {
    this.#service.gate.require(op.session, 'observe');
    if (!maySeeJob(op.session, this.#job)) throw new FsError('ENOENT', 'There is no such job.');
  }

  #document(name: string, render: () => Uint8Array, changedAtMs: () => number): Document {
    const snapshot = (op: Op): Snapshot => {
      this.#require(op);
      return { bytes: render(), mtimeNs: nsFromMs(changedAtMs()) };
    };
    return new JobDocument(snapshot, this.#job.inoOf(name), (op) => this.#require(op));
  }

  #stream(name: 'stdout' | 'stderr'): StreamFile {
    const ino = this.#job.inoOf(name);
    const content = (op: Op): Job['stdout'] => {
      this.#require(op);
      return this.#job[name];
    };
    return new StreamFile(ino, content, (size) =>
      fileStat(ino, nsFromMs(this.#job.changedAtMs), 0o444, size),
    );
  }

  #cancelControl(): OneShotControl {
    return new OneShotControl(this.#service, {
      action: 'invoke',
      usage: 'Write anything here to cancel this invocation.',
      act: (_written, op) => {
        this.requireRemovable(op);
        if (this.#job.end !== null)
          throw new FsError('ESRCH', 'The invocation has already ended.', {
            hint: 'See status.json beside it.',
          });
        this.#service.cancelJob(
          this.#job,
          'The invocation was cancelled through its cancel file.',
          op.session,
        );
      },
    });
  }
}

/** A document of a job: who may no longer see the job cannot read it on. */
export class JobDocument extends Document {
  readonly #check: (op: Op) => void;

  constructor(render: (op: Op) => Snapshot, ino: bigint, check: (op: Op) => void) {
    super(render, { freshness: 'live', ino });
    this.#check = check;
  }

  override open(flags: OpenFlags, op: Op): FileHandle {
    return new GuardedHandle(super.open(flags, op) as FileHandle, this.#check);
  }
}

function requestText(job: Job): Buffer {
  const bytes = job.request.all();
  if (!job.rejected) return Buffer.from(indentJson(bytes.toString()));
  return bytes.at(-1) === 10 ? bytes : Buffer.concat([bytes, Buffer.from('\n')]);
}

export function resultText(job: Job): Buffer {
  return job.end?.state === 'ok' ? job.result.all() : documentFromJson({ state: statusOfJob(job).state });
}
