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
    return new JobDocument(
      snapshot,
      this.job.inoOf(name),
      (op) => this.require(op),
      (shown, op) => this.awaitNews(() => Buffer.compare(shown, render()) !== 0, op),
    );
  }

  /** True once `isNews`; false when the job has ended and it is not. */
  protected awaitNews(isNews: () => boolean, { signal }: Op): Promise<boolean> {
    const { job } = this;
    return job.news(this.service.clock).next(() => isNews() || (job.end === null ? null : false), signal);
  }
}

/** As `FileHandle.awaitChange`, of a descriptor that shows `shown`. */
type AwaitOther = (shown: Uint8Array, op: Op) => Promise<boolean>;

/** A document of a job: a session that may no longer see the job cannot read it on. */
export class JobDocument extends Document {
  readonly #check: (op: Op) => void;
  readonly #awaitOther: AwaitOther | undefined;

  constructor(render: (op: Op) => Snapshot, ino: bigint, check: (op: Op) => void, awaitOther?: AwaitOther) {
    super(render, { freshness: 'live', ino });
    this.#check = check;
    this.#awaitOther = awaitOther;
  }

  override open(flags: OpenFlags, op: Op): FileHandle {
    const check = this.#check;
    const handle = new GuardedHandle(super.open(flags, op) as FileHandle, check);
    const { holds } = handle;
    const awaitOther = this.#awaitOther;
    if (holds !== undefined && awaitOther !== undefined)
      handle.awaitChange = async (_from, later) => {
        check(later);
        return awaitOther(holds, later);
      };
    return handle;
  }
}
