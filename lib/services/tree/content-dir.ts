import { FsError } from '../../core/index.js';
import { noSuchEntry, type Node, type Op } from '../../vfs/index.js';
import type { Job } from '../jobs/job.js';
import type { Service } from '../service.js';
import { JobFilesDir } from './job-files-dir.js';

/** `jobs/<id>/content/`: what of an answer is no JSON. It is there once the job has ended. */
export class ContentDir extends JobFilesDir {
  override readonly ino: bigint;
  readonly #shown = new Map<string, Node>();
  readonly #requireRemovable: (op: Op) => void;

  constructor(service: Service, job: Job, requireRemovable: (op: Op) => void) {
    super(service, job);
    this.ino = job.inoOf('content');
    this.#requireRemovable = requireRemovable;
  }

  /** Hides the name, as in the job's own directory. */
  override unlink(name: string, op: Op): void {
    this.lookup(name, op);
    this.#requireRemovable(op);
    this.job.hidden.add(pathOf(name));
  }

  /** @throws FsError ENOTEMPTY while it shows files */
  requireEmpty(op: Op): void {
    if (this.list(op).length > 0)
      throw new FsError('ENOTEMPTY', 'The answer still has files.', { hint: 'Remove it as a whole: rm -r.' });
  }

  protected override shows(name: string): boolean {
    return !this.job.hidden.has(pathOf(name));
  }

  protected get files(): ReadonlyMap<string, Node> {
    for (const [name, blob] of this.job.files)
      if (!this.#shown.has(name))
        this.#shown.set(
          name,
          this.document(
            pathOf(name),
            () => blob.all(),
            () => this.job.end?.finishedAtMs ?? this.job.changedAtMs,
          ),
        );
    return this.#shown;
  }

  override lookup(name: string, op: Op): Node {
    if (!this.job.files.has(name)) {
      this.require(op);
      throw noSuchEntry(name);
    }
    return super.lookup(name, op);
  }
}

function pathOf(name: string): string {
  return `content/${name}`;
}
