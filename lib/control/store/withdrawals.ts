import type { JsonObject } from '../../core/index.js';
import type { DeltaEntry } from './service-delta.js';
import type { ViewEvent } from './view-event.js';

/** Stands for the node itself among the ids of its services, which are never empty. */
const THE_NODE = '';

/**
 * What was withdrawn from a view while it went on to exist, and by which of the view's events. All that was
 * reported of it up to then is not reported again, whatever becomes of it: shown anew, its history begins anew.
 */
export class Withdrawals {
  static readonly NONE = new Withdrawals(new Map(), 0);
  /** The event that withdrew something last; 0 if none did. */
  readonly latest: number;
  readonly #marks: ReadonlyMap<string, Readonly<Record<string, number>>>;

  private constructor(marks: ReadonlyMap<string, Readonly<Record<string, number>>>, latest: number) {
    this.#marks = marks;
    this.latest = latest;
  }

  /** Empty text is what releases wrote that did not keep these. */
  static parse(text: string): Withdrawals {
    if (text === '') return Withdrawals.NONE;
    const marks = new Map(JSON.parse(text) as [string, Record<string, number>][]);
    const all = [...marks.values()].flatMap((own) => Object.values(own));
    return new Withdrawals(marks, Math.max(0, ...all));
  }

  toText(): string {
    return JSON.stringify([...this.#marks]);
  }

  /** These too, by the event `seq`; marks up to `forgotten` are of events that are no longer kept. */
  and(
    nodeId: string,
    withdrawn: { readonly services: readonly string[]; readonly node: boolean },
    seq: number,
    forgotten: number,
  ): Withdrawals {
    const marks = new Map<string, Record<string, number>>();
    for (const [node, own] of this.#marks) {
      const kept = Object.entries(own).filter(([, at]) => at > forgotten);
      if (kept.length > 0) marks.set(node, Object.fromEntries(kept));
    }
    const ids = withdrawn.node ? [...withdrawn.services, THE_NODE] : withdrawn.services;
    marks.set(nodeId, { ...marks.get(nodeId), ...Object.fromEntries(ids.map((id) => [id, seq])) });
    return new Withdrawals(marks, seq);
  }

  /**
   * What may be reported of an event now. Watchers get what was removed, so that they may forget it, and their
   * revisions have no gaps: an event of which nothing is left is an empty change.
   */
  forWatchers(event: ViewEvent): ViewEvent {
    if (event.revision > this.latest) return event;
    return this.#without(event, ['added', 'updated']);
  }

  /** The same for a watcher that has seen nothing yet: nothing names what was withdrawn. */
  forReaders(event: ViewEvent): ViewEvent {
    if (event.revision > this.latest) return event;
    return this.#without(event, ['added', 'updated', 'removed']);
  }

  #without(event: ViewEvent, lists: readonly ('added' | 'updated' | 'removed')[]): ViewEvent {
    const marks = this.#marks.get(event.nodeId);
    if (marks === undefined) return event;
    const hides = (id: string): boolean =>
      Object.hasOwn(marks, id) && (marks[id] as number) >= event.revision;
    const { kind, payload } = event;
    if (kind === 'services') {
      const shown = lists.map((list) => [
        list,
        (payload[list] as unknown as readonly DeltaEntry[]).filter(({ service_id }) => !hides(service_id)),
      ]);
      return { ...event, payload: { ...payload, ...(Object.fromEntries(shown) as JsonObject) } };
    }
    const serviceId = payload['service_id'];
    return hides(typeof serviceId === 'string' ? serviceId : THE_NODE) ? emptied(event) : event;
  }
}

function emptied(event: ViewEvent): ViewEvent {
  return { ...event, kind: 'services', payload: { added: [], updated: [], removed: [] } };
}
