import { FsError, documentFromJson, indentJson } from '../../core/index.js';
import { principalOf, type Session } from '../../policy/index.js';
import {
  SharedBytes,
  StreamFile,
  fileStat,
  nsFromMs,
  type Node,
  type Op,
  type Stat,
} from '../../vfs/index.js';
import { documentOfProgress, statusOfJob, type Job } from '../jobs/job.js';
import type { Service } from '../service.js';
import { ContentDir } from './content-dir.js';
import { JobFilesDir } from './job-files-dir.js';
import { OneShotControl } from './one-shot-control.js';
import { answerControl } from './question-files.js';
import { waitControl } from './wait-control.js';

/** What is there while the driver asks something. */
const ASKING: ReadonlySet<string> = new Set(['question.json', 'answer.json']);

/** `jobs/<invocation_id>/`. */
export class JobDir extends JobFilesDir {
  protected readonly files: ReadonlyMap<string, Node>;
  readonly #content: ContentDir;

  constructor(service: Service, job: Job) {
    super(service, job);
    this.#content = new ContentDir(service, job, (op) => this.requireRemovable(op));
    const request = new SharedBytes();
    const result = new SharedBytes();
    this.files = new Map<string, Node>([
      [
        'request.json',
        this.document(
          'request.json',
          () => request.of(`${job.request.size}`, () => requestText(job)),
          () => job.acceptedAtMs,
        ),
      ],
      ['status.json', this.document('status.json', () => documentFromJson(statusOfJob(job)))],
      [
        'progress.json',
        this.document(
          'progress.json',
          () => documentFromJson(documentOfProgress(job.progress)),
          () => job.progress?.updatedAtMs ?? job.acceptedAtMs,
        ),
      ],
      [
        'result.json',
        this.document(
          'result.json',
          () => result.of(`${job.end?.state ?? job.changedAtMs} ${job.result.size}`, () => resultText(job)),
          () => job.end?.finishedAtMs ?? job.acceptedAtMs,
        ),
      ],
      ['stdout', this.#stream('stdout')],
      ['stderr', this.#stream('stderr')],
      ['content', this.#content],
      [
        'question.json',
        this.document('question.json', () => {
          const { asked } = job.questions;
          return documentFromJson(asked === null ? null : { number: asked.number, ...asked.question });
        }),
      ],
      ['answer.json', answerControl(service, job, (op) => this.requireRemovable(op))],
      ['cancel', this.#cancelControl()],
      ['wait', waitControl(service, job, (op) => this.require(op))],
    ]);
  }

  override stat(op: Op): Stat {
    return { ...super.stat(op), mode: this.#mayRemove(op.session) ? 0o755 : 0o555 };
  }

  protected override shows(name: string): boolean {
    if (name === 'content' && this.job.files.size === 0) return false;
    if (ASKING.has(name) && this.job.questions.asked === null) return false;
    return !this.job.hidden.has(name);
  }

  /** Hides the name, so that `rm -r` can empty the directory before it removes it. */
  override unlink(name: string, op: Op): void {
    if (this.lookup(name, op).kind === 'dir')
      throw new FsError('EISDIR', `${JSON.stringify(name)} is a directory.`);
    this.requireRemovable(op);
    this.job.hidden.add(name);
  }

  override rmdir(name: string, op: Op): void {
    if (this.lookup(name, op) !== this.#content)
      throw new FsError('ENOTDIR', `${JSON.stringify(name)} is no directory.`);
    this.requireRemovable(op);
    this.#content.requireEmpty(op);
    this.job.hidden.add(name);
  }

  /** @throws FsError EACCES unless the session owns the job or may control the service. */
  requireRemovable(op: Op): void {
    this.require(op);
    if (!this.#mayRemove(op.session)) throw new FsError('EACCES', 'This job belongs to another session.');
  }

  #mayRemove(session: Session): boolean {
    return this.job.owner.principal === principalOf(session) || this.service.gate.allows(session, 'control');
  }

  #stream(name: 'stdout' | 'stderr'): StreamFile {
    const ino = this.job.inoOf(name);
    const content = (op: Op): Job['stdout'] => {
      this.require(op);
      return this.job[name];
    };
    const statOf = (size: number): Stat => fileStat(ino, nsFromMs(this.job.changedAtMs), 0o444, size);
    return new StreamFile(ino, content, statOf, {
      awaitGrowth: (from, op) => this.awaitNews(() => this.job[name].size > from, op),
    });
  }

  #cancelControl(): OneShotControl {
    return new OneShotControl(this.service, {
      action: 'invoke',
      usage: 'Write anything here to cancel this invocation.',
      act: (_written, op) => {
        this.requireRemovable(op);
        if (this.job.end !== null)
          throw new FsError('ESRCH', 'The invocation has already ended.', {
            hint: 'See status.json beside it.',
          });
        this.service.cancelJob(this.job, 'The invocation was cancelled through its cancel file.', op.session);
      },
    });
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
