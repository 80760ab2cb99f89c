import { FsError } from '../../core/index.js';
import { principalOf, type Session } from '../../policy/index.js';
import {
  Document,
  GuardedHandle,
  ReadOnlyDir,
  dirStat,
  entryOf,
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
import type { Job } from '../jobs/job.js';
import type { Service } from '../service.js';

/** Jobs belong to their principal; admins see everyone's. */
export function maySeeJob(session: Session, job: Job): boolean {
  return session.role === 'admin' || job.owner.principal === principalOf(session);
}

/** A directory of files about one job. A session that may not see the job finds none of them. */
export abstract class JobFilesDir extends ReadOnlyDir {
  readonly ino: bigint;
  override readonly freshness: Freshness = 'live';
  readonly job: Job;
  protected readonly service: Service;
  protected abstract readonly files: ReadonlyMap<string, Node>;

  constructor(service: Service, job: Job) {
    super();
    this.service = service;
    this.job = job;
    this.ino = job.ino;
  }

  stat(op: Op): Stat {
    this.require(op);
    return dirStat(this.ino, nsFromMs(this.job.changedAtMs));
  }

  lookup(name: string, op: Op): Node {
    this.require(op);
    const node = this.shows(name) ? this.files.get(name) : undefined;
    if (node === undefined) throw noSuchEntry(name);
    return node;
  }

  list(op: Op): readonly DirEntry[] {
    this.require(op);
    return [...this.files].filter(([name]) => this.shows(name)).map(([name, node]) => entryOf(name, node));
  }

  protected shows(_name: string): boolean {
    return true;
  }

  /** @throws FsError ENOENT unless the session may see the job. */
  protected require(op: Op): void {
    this.service.gate.require(op.session, 'observe');
    if (!maySeeJob(op.session, this.job)) throw new FsError('ENOENT', 'There is no such job.');
  }

  protected document(
    name: string,
    render: () => Uint8Array,
    changedAtMs: () => number = () => this.job.changedAtMs,
  ): Document {
    const snapshot = (op: Op): Snapshot => {
      this.require(op);
      return { bytes: render(), mtimeNs: nsFromMs(changedAtMs()) };
    };
    return new JobDocument(snapshot, this.job.inoOf(name), (op) => this.require(op));
  }
}

/** A document of a job: a session that may no longer see the job cannot read it on. */
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
