import type { CatalogEvent } from '../../lib/control/index.js';

/** What clients were told, as it happened. */
export class ReplicaHistory {
  /** Projects whose creation was acknowledged. */
  readonly created = new Set<string>();
  /** Names that several asked for at once: how many were told that they have it. */
  readonly won = new Map<string, number>();
  /** By one-use invite: the nodes that joined by it. */
  readonly joined = new Map<string, string[]>();
  /** Acknowledged values of one register, in the order of their acknowledgement, with when each was asked for and told. */
  readonly written: { readonly value: number; readonly asked: number; readonly told: number }[] = [];
  /** The register as somebody read it, and between when and when. */
  readonly read: {
    readonly value: number;
    readonly asked: number;
    readonly told: number;
    readonly by: string;
  }[] = [];
  /** Where a token was let in after its revocation had been acknowledged. */
  readonly letIn: string[] = [];
  /** By watcher: what it was sent. */
  readonly watched = new Map<string, CatalogEvent[]>();
  readonly counts: Record<string, number> = {};

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  watcher(name: string): (event: CatalogEvent) => void {
    const events: CatalogEvent[] = [];
    this.watched.set(name, events);
    return (event) => events.push(event);
  }

  /** What is wrong with it, in words; nothing where it is right. */
  faults(
    final: readonly { readonly replica: string; readonly projects: ReadonlyMap<string, string> }[],
  ): string[] {
    return [
      ...this.#lost(final),
      ...this.#different(final),
      ...this.#twice(),
      ...this.#watchFaults(),
      ...this.#registerFaults(final),
    ].concat(this.letIn.map((where) => `A revoked token was let in: ${where}`));
  }

  #lost(final: readonly { replica: string; projects: ReadonlyMap<string, string> }[]): string[] {
    return final.flatMap(({ replica, projects }) =>
      [...this.created]
        .filter((id) => !projects.has(id))
        .map((id) => `${replica} has lost ${id}, which was acknowledged.`),
    );
  }

  #different(final: readonly { replica: string; projects: ReadonlyMap<string, string> }[]): string[] {
    const texts = final.map(({ projects }) => JSON.stringify([...projects].sort()));
    return new Set(texts).size === 1 ? [] : ['The replicas differ in the end.'];
  }

  #twice(): string[] {
    return [
      ...[...this.won]
        .filter(([, times]) => times > 1)
        .map(([name, times]) => `${times} were told that they have made ${name}.`),
      ...[...this.joined]
        .filter(([, nodes]) => nodes.length > 1)
        .map(([id, nodes]) => `${nodes.join(' and ')} joined by the invite ${id}.`),
    ];
  }

  /** Each watcher gets each revision once, in order, and all of them the same. */
  #watchFaults(): string[] {
    const known = new Map<number, string>();
    return [...this.watched].flatMap(([name, events]) => {
      const faults: string[] = [];
      let last: number | undefined;
      for (const event of events) {
        const { revision } = event;
        if (last !== undefined && revision !== last + 1) faults.push(`${name}: ${revision} follows ${last}.`);
        last = revision;
        const {
          watch_id: _watch,
          seq: _seq,
          cursor: _cursor,
          ...facts
        } = event as CatalogEvent & Record<string, unknown>;
        const text = JSON.stringify(facts);
        if ((known.get(revision) ?? text) !== text)
          faults.push(`${name}: ${revision} is another event than elsewhere.`);
        known.set(revision, text);
      }
      return faults;
    });
  }

  /**
   * The register has one writer. What an acknowledged write wrote is what any replica shows from then on, until something newer; only
   * a write of which its writer does not know may still come in between.
   */
  #registerFaults(final: readonly { replica: string; projects: ReadonlyMap<string, string> }[]): string[] {
    const acknowledged = new Set(this.written.map(({ value }) => value));
    const end = final.map(({ replica, projects }) => ({
      ...{ value: Number(projects.get('register')), asked: Infinity, by: `${replica}, in the end` },
    }));
    const tolds = [...this.written].sort((a, b) => a.told - b.told);
    return [...this.read, ...end].flatMap(({ value, asked, by }) => {
      let known = 0;
      for (const write of tolds) if (write.told < asked) known = Math.max(known, write.value);
      const isOld = value < known && (acknowledged.has(value) || value === 0);
      return isOld ? [`${by} showed ${value} after ${known} had been acknowledged.`] : [];
    });
  }
}
