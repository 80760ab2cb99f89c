import { FsError, dropOldest, isId } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import { newIno, noSuchEntry, type Awaitable } from '../../vfs/index.js';
import type { Job } from '../jobs/job.js';
import { ObjectScanner, type ScannedObject } from '../request/object-scanner.js';
import { requestFrom, type Request } from '../request/request.js';
import { scanInTurns } from '../request/scan-in-turns.js';
import type { Service } from '../service.js';
import { Draft, roomFor, type Room } from './draft.js';

/** What may lie in a folder that is not a call yet. */
const MAX_DRAFTS = 256;

/** What became of a request that was refused. */
export interface Refusal {
  readonly ino: bigint;
  readonly text: Buffer;
  readonly atMs: number;
}

/**
 * `calls/` of one principal: files that are written there, until they are submitted under their own name. What
 * was submitted is a job with that name as its key, and is kept as jobs are.
 */
export class CallFolder {
  readonly drafts = new Map<string, Draft>();
  /** By the name of the call. */
  readonly refusals = new Map<string, Refusal>();
  changedAtMs: number;
  readonly #service: Service;
  readonly #room: Room;
  readonly #requestInos = new WeakMap<Job, bigint>();

  constructor(service: Service) {
    this.#service = service;
    this.#room = roomFor(service);
    this.changedAtMs = service.definedAtMs;
  }

  /** @throws FsError EPERM for a name that the service itself writes, ENOSPC where there are too many files */
  create(name: string): Draft {
    refuseOutcome(name);
    if (this.drafts.size >= MAX_DRAFTS)
      throw new FsError('ENOSPC', `There are ${MAX_DRAFTS} files here already that are no calls.`, {
        hint: 'Remove those that are left over; what was submitted does not count.',
      });
    const draft = new Draft(this.#room, this.#now());
    this.drafts.set(name, draft);
    this.#touch();
    return draft;
  }

  remove(name: string): boolean {
    const draft = this.drafts.get(name);
    if (draft === undefined) return false;
    this.drafts.delete(name);
    draft.unlink();
    const call = callOfName(name);
    if (call !== null) this.refusals.delete(call);
    this.#touch();
    return true;
  }

  /** Gives a draft another name, which submits it where that is the name of a call. */
  move(name: string, toName: string, session: Session): Awaitable<void> {
    const draft = this.drafts.get(name);
    if (draft === undefined) throw noSuchEntry(name);
    if (callOfName(toName) === null) {
      this.drafts.get(toName)?.unlink();
      this.drafts.set(toName, draft);
      this.drafts.delete(name);
      this.#touch();
      return undefined;
    }
    const submitted = this.submit(toName, draft, session);
    const gone = (): void => {
      if (this.drafts.get(name) === draft) this.drafts.delete(name);
      draft.unlink();
    };
    return submitted instanceof Promise ? submitted.then(gone) : gone();
  }

  /**
   * Submits what a draft holds, where its name is that of a call; from then on the job stands in its place.
   * @throws FsError what the write of the same request to `control/submit.json` would
   */
  submit(name: string, draft: Draft, session: Session): Awaitable<void> {
    const call = callOfName(name);
    if (call === null) return undefined;
    const bytes = Buffer.from(draft.bytes);
    this.refusals.delete(call);
    try {
      const request = this.#requestFrom(call, bytes);
      if (!(request instanceof Promise)) return this.#accept(request, { call, name, draft, session });
      return request
        .then((checked) => this.#accept(checked, { call, name, draft, session }))
        .catch((thrown: unknown) => {
          throw this.#refuse(call, bytes, FsError.from(thrown), session);
        });
    } catch (thrown) {
      throw this.#refuse(call, bytes, FsError.from(thrown), session);
    }
  }

  /** The inode number of the file that a call was submitted as. */
  inoOf(job: Job): bigint {
    return this.#requestInos.get(job) ?? job.inoOf('calls');
  }

  #accept(
    request: Request,
    { call, name, draft, session }: { call: string; name: string; draft: Draft; session: Session },
  ): void {
    const { job } = this.#service.submit(request, session);
    this.#requestInos.set(job, draft.ino);
    if (this.drafts.get(name) === draft) this.drafts.delete(name);
    else this.remove(name);
    this.refusals.delete(call);
    draft.unlink();
    this.#touch();
  }

  /** @throws FsError EINVAL for what is not one object, has another key, or does not fit the schema */
  #requestFrom(call: string, bytes: Buffer): Awaitable<Request> {
    const limit = this.#service.definition.runtime.limits.maxPayloadBytes;
    if (bytes.length > limit)
      throw new FsError('EFBIG', `The request is larger than the ${limit} bytes that this service takes.`);
    const { check } = this.#service;
    const object = oneObject(bytes);
    return object instanceof Promise
      ? object.then((scanned) => requestFrom(scanned, check, call))
      : requestFrom(object, check, call);
  }

  /** What was recorded as a job already when it was refused keeps its record; a used name says so to the caller alone. */
  #refuse(call: string, bytes: Buffer, error: FsError, session: Session): FsError {
    if (error.code === 'EEXIST') return error;
    if (!RECORDED.has(error.code)) this.#service.reject(bytes, error, session);
    const text = Buffer.from(`${error.code}: ${error.sentence}\n`);
    this.refusals.set(call, { ino: newIno(), text, atMs: this.#now() });
    dropOldest(this.refusals, MAX_DRAFTS);
    this.#touch();
    return error;
  }

  #touch(): void {
    this.changedAtMs = this.#now();
  }

  #now(): number {
    return this.#service.nowMs;
  }
}

/** Refusals that `Service.submit` records itself. */
const RECORDED = new Set(['EPERM', 'EBUSY', 'EHOSTDOWN', 'EIO', 'EACCES', 'ENOENT']);

/** @throws FsError EPERM for the name of an outcome, which the service itself writes */
export function refuseOutcome(name: string): void {
  if (/\.(result\.json|error\.txt)$/.test(name))
    throw new FsError('EPERM', `${JSON.stringify(name)} comes by itself, when the call has ended.`);
}

/** The name of the call that a file submits; null for one that is only a file, as hidden ones are. */
export function callOfName(name: string): string | null {
  const call = /^([^.].*)\.json$/.exec(name)?.[1];
  return call !== undefined && isId(call) && !call.endsWith('.result') ? call : null;
}

/** What is wrong with bytes that may yet become a request, as more of them come; null for all others. */
export function incompleteIn(bytes: Uint8Array): Awaitable<FsError | null> {
  const scanner = new ObjectScanner();
  const faultIn = (): FsError | null => (scanner.pendingBytes > 0 ? scanner.incomplete() : null);
  try {
    const objects = scanInTurns(scanner, bytes);
    return objects instanceof Promise ? objects.then(faultIn, () => null) : faultIn();
  } catch {
    return null;
  }
}

/** @throws FsError EINVAL */
function oneObject(bytes: Buffer): Awaitable<ScannedObject> {
  const scanner = new ObjectScanner();
  const oneOf = (objects: readonly ScannedObject[]): ScannedObject => {
    const [object] = objects;
    if (scanner.pendingBytes > 0) throw scanner.incomplete();
    if (object !== undefined && objects.length === 1) return object;
    throw new FsError('EINVAL', `A file is one request: a JSON object. This one has ${objects.length}.`, {
      hint: 'SCHEMA.json says what a request may hold; TEMPLATE.json is one that passes.',
    });
  };
  const objects = scanInTurns(scanner, bytes);
  return objects instanceof Promise ? objects.then(oneOf) : oneOf(objects);
}
