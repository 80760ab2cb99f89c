import {
  changedPointers,
  FsError,
  ownValue,
  recordedDescriptor,
  type Clock,
  type JsonObject,
  type Log,
} from '../../core/index.js';
import {
  boundedFields,
  offererOf,
  type HistoryChange,
  type RecordedChange,
  type ServiceDefinition,
  type ServiceRecords,
  type ControlChange,
} from '../../manifest/index.js';
import type { ServedBefore } from '../../registry/index.js';
import type { HistorySource } from '../../services/index.js';
import { HistoryLog } from './history-log.js';
import { changeFromLine, lineFromChange } from './history-lines.js';

export interface NodeHistoryOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Changes of one service. */
  readonly maxChanges?: number;
  /** Of the descriptors of all services that do not run any more. */
  readonly maxBytes?: number;
}

const MAX_CHANGES = 128;
const MAX_BYTES = 16 * 1024 * 1024;
/** So much may be in the file that is no longer kept, before it is written anew. */
const SLACK_BYTES = 1024 * 1024;

type Definition = Pick<
  ServiceDefinition,
  'serviceId' | 'version' | 'descriptor' | 'descriptorDigest' | 'source'
>;

/** What the services of this node were, kept by the node itself: for its own trees, and where there is no control plane. */
export class NodeHistory implements HistorySource {
  readonly #log: HistoryLog;
  readonly #options: NodeHistoryOptions;
  readonly #services = new Map<string, RecordedChange[]>();
  /** Descriptors as JSON, by the hash of their version. */
  readonly #texts = new Map<string, string>();
  #revision = 0;
  #bytes = 0;

  /** @throws FsError EPROTO where a newer release wrote it */
  constructor(path: string, options: NodeHistoryOptions) {
    this.#options = options;
    this.#log = new HistoryLog(path, options.log);
    for (const line of this.#log.load()) {
      const text = ownValue(line, 'descriptor');
      const change = changeFromLine(line);
      if (change === undefined) continue;
      const { hash } = change;
      if (text !== undefined && hash !== null) this.#keepText(hash, JSON.stringify(text));
      this.#put(ownValue(line, 'service_id') as string, change);
    }
  }

  of(_nodeId: string, serviceId: string): ServiceRecords {
    const descriptorOf = ({ hash }: RecordedChange): JsonObject =>
      JSON.parse(this.#texts.get(hash ?? '') ?? '{}') as JsonObject;
    return {
      serviceId,
      changes: this.#services.get(serviceId) ?? [],
      descriptorOf,
      permissionsOf: (change) => ownValue(descriptorOf(change), 'permissions'),
    };
  }

  /** These are the services that there are from now on: what is other than before is recorded, as one revision. */
  take(definitions: Iterable<Definition>): void {
    const changes: [string, HistoryChange, Definition | null][] = [];
    const there = new Set<string>();
    for (const definition of definitions) {
      const { serviceId } = definition;
      there.add(serviceId);
      const before = this.#running(serviceId);
      if (before === undefined) changes.push([serviceId, 'added', definition]);
      else if (before.hash !== definition.descriptorDigest) changes.push([serviceId, 'updated', definition]);
    }
    for (const serviceId of this.#services.keys())
      if (!there.has(serviceId) && this.#running(serviceId) !== undefined)
        changes.push([serviceId, 'removed', null]);
    this.#record(changes);
  }

  /** What the manifests of this machine gave last, by their paths. */
  servedBefore(): ReadonlyMap<string, ServedBefore> {
    const before = new Map<string, ServedBefore>();
    for (const serviceId of this.#services.keys()) {
      const running = this.#running(serviceId);
      const { source = null, hash = null } = running ?? {};
      if (running === undefined || hash === null || source?.startsWith('/') !== true) continue;
      const descriptor = this.#descriptorOf(running);
      if (offererOf(descriptor) !== undefined) continue;
      const facts = { version: running.version ?? '', descriptorDigest: hash, descriptor };
      before.set(source, { serviceId, ...facts });
    }
    return before;
  }

  /** Somebody did this to a service. */
  note(serviceId: string, change: ControlChange): void {
    if (this.#running(serviceId) !== undefined) this.#record([[serviceId, change, null]]);
  }

  close(): void {
    this.#log.close();
  }

  /** What brought the version of a service that is there. */
  #running(serviceId: string): RecordedChange | undefined {
    const last = this.#services
      .get(serviceId)
      ?.findLast(({ change, hash }) => hash !== null || change === 'removed');
    return last?.change === 'removed' ? undefined : last;
  }

  #record(changes: readonly (readonly [string, HistoryChange, Definition | null])[]): void {
    if (changes.length === 0) return;
    const revision = this.#revision + 1;
    const timestampMs = this.#options.clock.now();
    const lines: JsonObject[] = [];
    for (const [serviceId, change, definition] of changes) {
      const before = this.#running(serviceId);
      const descriptor = definition === null ? null : recordedDescriptor(definition.descriptor);
      const hash = definition?.descriptorDigest ?? null;
      const fields =
        descriptor === null || before === undefined
          ? []
          : changedPointers(this.#descriptorOf(before), descriptor);
      // It only fares otherwise.
      if (change === 'updated' && fields.length === 0) continue;
      const recorded: RecordedChange = {
        ...{ revision, timestampMs, change, hash },
        version: definition?.version ?? null,
        fields: boundedFields(fields),
        source: definition?.source ?? null,
      };
      const isNew = hash !== null && !this.#texts.has(hash);
      if (isNew) this.#keepText(hash, JSON.stringify(descriptor));
      lines.push(lineFromChange(serviceId, recorded, isNew ? descriptor : null));
      this.#put(serviceId, recorded);
    }
    if (lines.length === 0) return;
    this.#write(() => this.#log.append(lines));
    this.#trim(changes.map(([serviceId]) => serviceId));
  }

  #descriptorOf({ hash }: RecordedChange): JsonObject {
    return JSON.parse(this.#texts.get(hash ?? '') ?? '{}') as JsonObject;
  }

  #put(serviceId: string, change: RecordedChange): void {
    this.#revision = Math.max(this.#revision, change.revision);
    const changes = this.#services.get(serviceId) ?? [];
    this.#services.set(serviceId, [...changes, change]);
  }

  #keepText(hash: string, text: string): void {
    if (this.#texts.has(hash)) return;
    this.#texts.set(hash, text);
    this.#bytes += Buffer.byteLength(text);
  }

  /** Forgets what is too much, but for what runs; and writes the file anew where most of it was forgotten. */
  #trim(touched: readonly string[]): void {
    const { maxChanges = MAX_CHANGES, maxBytes = MAX_BYTES } = this.#options;
    let hasForgotten = false;
    for (const serviceId of touched) {
      const changes = this.#services.get(serviceId) ?? [];
      for (let excess = changes.length - maxChanges; excess > 0; excess--)
        hasForgotten = this.#forgetOldest(serviceId) || hasForgotten;
    }
    if (hasForgotten) this.#dropTexts();
    const running = [...this.#services.keys()].reduce(
      (sum, id) => sum + Buffer.byteLength(this.#texts.get(this.#running(id)?.hash ?? '') ?? ''),
      0,
    );
    while (this.#bytes - running > maxBytes && this.#forgetOldest(this.#withOldest())) this.#dropTexts();
    if (this.#log.bytes > 2 * this.#bytes + SLACK_BYTES) this.#write(() => this.#log.replace(this.#lines()));
  }

  /** The service whose oldest change that may go is the oldest of all. */
  #withOldest(): string {
    let [found, oldest] = ['', Infinity];
    for (const [serviceId, changes] of this.#services) {
      const running = this.#running(serviceId);
      const revision = changes.find((change) => change !== running)?.revision ?? Infinity;
      if (revision < oldest) [found, oldest] = [serviceId, revision];
    }
    return found;
  }

  /** False where there is nothing but what runs. */
  #forgetOldest(serviceId: string): boolean {
    const changes = this.#services.get(serviceId) ?? [];
    const running = this.#running(serviceId);
    const at = changes.findIndex((change) => change !== running);
    if (at < 0) return false;
    const left = changes.filter((_, index) => index !== at);
    if (left.length === 0) this.#services.delete(serviceId);
    else this.#services.set(serviceId, left);
    return true;
  }

  #dropTexts(): void {
    const used = new Set([...this.#services.values()].flatMap((changes) => changes.map(({ hash }) => hash)));
    for (const [hash, text] of this.#texts) {
      if (used.has(hash)) continue;
      this.#texts.delete(hash);
      this.#bytes -= Buffer.byteLength(text);
    }
  }

  #lines(): JsonObject[] {
    const written = new Set<string>();
    return [...this.#services].flatMap(([serviceId, changes]) =>
      changes.map((change) => {
        const { hash } = change;
        const isFirst = hash !== null && !written.has(hash);
        if (isFirst) written.add(hash);
        return lineFromChange(serviceId, change, isFirst ? this.#descriptorOf(change) : null);
      }),
    );
  }

  /** A service runs whether or not its history can be written. */
  #write(write: () => void): void {
    try {
      write();
    } catch (thrown) {
      this.#options.log.error('The history of services could not be written.', {
        error: FsError.from(thrown).message,
      });
    }
  }
}
