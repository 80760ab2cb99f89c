import { FsError } from '../../core/index.js';
import { principalOf } from '../../policy/index.js';
import {
  LiveSymlink,
  ReadOnlyDir,
  dirStat,
  entryOf,
  newIno,
  noSuchEntry,
  nsFromMs,
  type DirEntry,
  type Freshness,
  type Node,
  type Op,
  type Stat,
} from '../../vfs/index.js';
import type { Job } from '../jobs/job.js';
import type { Service } from '../service.js';
import { JobDir } from './job-dir.js';
import { maySeeJob } from './job-files-dir.js';
import { KeysDir } from './keys-dir.js';

/** `jobs/`: the invocations that the session may see, by id; ids sort by time. */
export class JobsDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #service: Service;
  readonly #dirs = new WeakMap<Job, JobDir>();
  readonly #latest: LiveSymlink;
  readonly #byKey: KeysDir;

  constructor(service: Service) {
    super();
    this.#service = service;
    this.#latest = new LiveSymlink((op) => {
      const job = this.#visible(op).at(-1);
      if (job === undefined) throw new FsError('ENOENT', 'There is no job yet.');
      return { target: job.id, timeNs: nsFromMs(job.acceptedAtMs) };
    });
    this.#byKey = new KeysDir(service);
  }

  stat(op: Op): Stat {
    this.#service.gate.require(op.session, 'observe');
    const newest = this.#visible(op).at(-1);
    return dirStat(this.ino, nsFromMs(newest?.changedAtMs ?? this.#service.definedAtMs), 0o755);
  }

  lookup(name: string, op: Op): Node {
    this.#service.gate.require(op.session, 'observe');
    if (name === 'by-key') return this.#byKey;
    if (name === 'latest') {
      this.#latest.stat(op);
      return this.#latest;
    }
    const job = this.#service.jobs.find(name);
    if (job === undefined || !maySeeJob(op.session, job)) throw noSuchEntry(name);
    return this.#dirOf(job);
  }

  list(op: Op): readonly DirEntry[] {
    const jobs = this.#visible(op);
    const entries = jobs.map((job) => entryOf(job.id, this.#dirOf(job)));
    entries.push(entryOf('by-key', this.#byKey));
    if (jobs.length > 0) entries.push(entryOf('latest', this.#latest));
    return entries;
  }

  /** Removes the entry at once; what still runs is cancelled in the background. */
  override rmdir(name: string, op: Op): void {
    const node = this.lookup(name, op);
    if (!(node instanceof JobDir)) throw new FsError('EPERM', `${JSON.stringify(name)} cannot be removed.`);
    node.requireRemovable(op);
    const unremoved = node.list(op);
    if (unremoved.length > 0)
      throw new FsError('ENOTEMPTY', 'The job still has files.', { hint: 'Remove it as a whole: rm -r.' });
    this.#service.forgetJob(node.job, op.session);
  }

  #visible(op: Op): Job[] {
    this.#service.gate.require(op.session, 'observe');
    return this.#service.jobs.list(op.session.role === 'admin' ? null : principalOf(op.session));
  }

  #dirOf(job: Job): JobDir {
    let dir = this.#dirs.get(job);
    if (dir === undefined) this.#dirs.set(job, (dir = new JobDir(this.#service, job)));
    return dir;
  }
}
