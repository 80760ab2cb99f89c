import { documentFromJson } from '../../core/index.js';
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
import { errorTextOfJob, statusOfJob, type Job, type KeyedJob } from '../jobs/job.js';
import type { Service } from '../service.js';
import { resultText } from './job-dir.js';
import { JobFilesDir, maySeeJob } from './job-files-dir.js';
import { waitControl } from './wait-control.js';

/** So many keys are listed, the newest; the others are there when they are asked for. */
const LISTED = 1000;

/**
 * `jobs/by-key/`: for each `_key` of the principal a link to its job while `jobs/` has that, then a folder with
 * what is kept of it.
 */
export class KeysDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #service: Service;
  readonly #links = new WeakMap<Job, LiveSymlink>();
  readonly #kept = new WeakMap<Job, KeptJobDir>();

  constructor(service: Service) {
    super();
    this.#service = service;
  }

  stat(op: Op): Stat {
    this.#service.gate.require(op.session, 'observe');
    const newestMs = this.#service.jobs.newestKeyMs(principalOf(op.session));
    return dirStat(this.ino, nsFromMs(newestMs ?? this.#service.definedAtMs));
  }

  lookup(name: string, op: Op): Node {
    this.#service.gate.require(op.session, 'observe');
    const job = this.#service.jobs.byKey(principalOf(op.session), name);
    if (job === undefined) throw noSuchEntry(name);
    return this.#nodeOf(job);
  }

  list(op: Op): readonly DirEntry[] {
    this.#service.gate.require(op.session, 'observe');
    const jobs = this.#service.jobs.keyed(principalOf(op.session), LISTED);
    return jobs.map((job) => entryOf(job.key, this.#nodeOf(job)));
  }

  #nodeOf(job: KeyedJob): Node {
    return this.#service.jobs.find(job.id) === job ? this.#linkTo(job) : this.#keptOf(job);
  }

  #keptOf(job: Job): KeptJobDir {
    let dir = this.#kept.get(job);
    if (dir === undefined) this.#kept.set(job, (dir = new KeptJobDir(this.#service, job)));
    return dir;
  }

  #linkTo(job: KeyedJob): LiveSymlink {
    let link = this.#links.get(job);
    if (link === undefined) {
      link = new LiveSymlink((op) => {
        this.#service.gate.require(op.session, 'observe');
        if (!maySeeJob(op.session, job)) throw noSuchEntry(job.key);
        return { target: `../${job.id}`, timeNs: nsFromMs(job.acceptedAtMs) };
      });
      this.#links.set(job, link);
    }
    return link;
  }
}

/** `jobs/by-key/<key>/` once the job has left `jobs/`: how it ended, as long as the key lives. */
class KeptJobDir extends JobFilesDir {
  protected readonly files: ReadonlyMap<string, Node>;

  constructor(service: Service, job: Job) {
    super(service, job);
    this.files = new Map<string, Node>([
      ['status.json', this.document('status.json', () => documentFromJson(statusOfJob(job)))],
      ['result.json', this.document('result.json', () => resultText(job))],
      ['last_error.txt', this.document('last_error.txt', () => Buffer.from(errorTextOfJob(job)))],
      ['wait', waitControl(service, job, (op) => this.require(op))],
    ]);
  }
}
