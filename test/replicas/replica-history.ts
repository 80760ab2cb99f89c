import { createHash } from 'node:crypto';
import type { CatalogEvent } from '../../lib/control/index.js';

/** A replica, and what it shows in the end. */
export interface Shown {
  readonly replica: string;
  readonly projects: ReadonlyMap<string, string>;
}

/** What clients were told, as it happened. */
export class ReplicaHistory {
  /** Projects whose creation was acknowledged. */
  readonly created = new Set<string>();
  /** Acknowledged values of one register, in the order of their acknowledgement, with when each was asked for and told. */
  readonly written: { readonly value: number; readonly asked: number; readonly told: number }[] = [];
  /** The register as somebody read it, and from when on he asked. */
  readonly read: { readonly value: number; readonly asked: number; readonly by: string }[] = [];
  readonly counts: Record<string, number> = {};
  readonly #faults: string[] = [];
  /** By revision: a digest of what it is. */
  readonly #revisions = new Map<number, string>();
  readonly #watched = new Map<string, { last: number | undefined; readonly marks: Set<string> }>();

  /** Takes what is done to them, where somebody wants to read it. */
  tell: (text: string) => void = () => undefined;

  count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by;
  }

  /** It is wrong, whatever else there is. */
  fault(text: string): void {
    this.count('faults found');
    this.tell(text);
    this.#faults.push(text);
  }

  /** Takes what a watcher is sent: each revision once, in order, and all of them the same as for everybody. */
  watcher(name: string): (event: CatalogEvent) => void {
    const seen = { last: undefined as number | undefined, marks: new Set<string>() };
    this.#watched.set(name, seen);
    return (event) => {
      const { revision } = event;
      this.count('event');
      if (seen.last !== undefined && revision !== seen.last + 1)
        this.fault(`${name}: ${revision} follows ${seen.last}.`);
      seen.last = revision;
      const facts = Object.entries(event).filter(([field]) => !['watch_id', 'seq', 'cursor'].includes(field));
      const text = JSON.stringify(facts);
      const digest = createHash('sha1').update(text).digest('base64');
      if ((this.#revisions.get(revision) ?? digest) !== digest)
        this.fault(`${name}: ${revision} is another event than elsewhere: ${text}`);
      this.#revisions.set(revision, digest);
      const { project_id: id } = (event.details ?? {}) as { project_id?: string };
      if (id?.startsWith('last-') === true) seen.marks.add(id);
    };
  }

  /** Whether every watcher was told of this project. */
  allSaw(projectId: string): boolean {
    return [...this.#watched.values()].every(({ marks }) => marks.has(projectId));
  }

  /** Takes the answers about one thing that nobody asks for any more. */
  settle(cell: { readonly fault: string | undefined; readonly operations: readonly unknown[] }): void {
    this.count('histories');
    this.count('operations in histories', cell.operations.length);
    const { fault } = cell;
    if (fault !== undefined) this.fault(fault);
  }

  /** What is wrong with it, in words; nothing where it is right. */
  faults(final: readonly Shown[]): string[] {
    return [...this.#faults, ...this.#lost(final), ...differences(final), ...this.#registerFaults(final)];
  }

  #lost(final: readonly Shown[]): string[] {
    return final.flatMap(({ replica, projects }) =>
      [...this.created]
        .filter((id) => !projects.has(id))
        .map((id) => `${replica} has lost ${id}, which was acknowledged.`),
    );
  }

  /**
   * The register has one writer. What an acknowledged write wrote is what any replica shows from then on, until something newer; only
   * a write of which its writer does not know may still come in between.
   */
  #registerFaults(final: readonly Shown[]): string[] {
    const acknowledged = new Set(this.written.map(({ value }) => value));
    const end = final.map(({ replica, projects }) => ({
      ...{ value: Number(projects.get('register')), asked: Infinity, by: `${replica}, in the end` },
    }));
    const writes = [...this.written].sort((a, b) => a.told - b.told);
    const reads = [...this.read, ...end].sort((a, b) => a.asked - b.asked);
    let known = 0;
    let at = 0;
    return reads.flatMap(({ value, asked, by }) => {
      for (; at < writes.length && writes[at]!.told < asked; at++) known = Math.max(known, writes[at]!.value);
      const isOld = value < known && (acknowledged.has(value) || value === 0);
      return isOld ? [`${by} showed ${value} after ${known} had been acknowledged.`] : [];
    });
  }
}

function differences(final: readonly Shown[]): string[] {
  const texts = final.map(({ projects }) => JSON.stringify([...projects].sort()));
  return new Set(texts).size === 1 ? [] : ['The replicas differ in the end.'];
}
