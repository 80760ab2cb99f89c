import { FsError, type Log } from '../../core/index.js';
import { MAX_CATALOG_NODES, type CatalogNews, type RemoteVfs } from '../../tunnel/index.js';
import type { KeptCatalog } from './kept-catalog.js';

type CatalogRequest = Parameters<RemoteVfs['askCatalog']>[0];
/** Where the next page begins; undefined for the first. */
type From = CatalogRequest['from'];

/** Those who come back to a control plane at once do not ask at once. */
const MOST_DELAY_MS = 250;
/** After a failure that is no loss of the connection. */
const RETRY_MS = 30_000;

/**
 * Keeps a catalog as the far side of a connection has it: asks for all of it, page after page, whenever it may
 * be another one, and for single nodes when it is notified of them. One request is on its way at a time.
 */
export class CatalogFollower {
  readonly #vfs: RemoteVfs;
  readonly #catalog: KeptCatalog;
  readonly #log: Log;
  readonly #shown: Promise<unknown>;
  readonly #stopListening: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;
  #hasAsked = false;
  #generation = 0;
  /** How many nodes were too much to keep when it was reported last. */
  #unkept = 0;
  #wantsAll = false;
  /** What was reported of nodes since they were asked for. */
  readonly #news = new Map<string, CatalogNews>();

  /** @param shown settles once what is kept can be shown */
  constructor(vfs: RemoteVfs, catalog: KeptCatalog, log: Log, shown: Promise<unknown>) {
    this.#vfs = vfs;
    this.#catalog = catalog;
    this.#log = log;
    this.#shown = shown;
    const stops = [
      vfs.states.on((state) => {
        if (state === 'attached') this.#attached();
      }),
      vfs.doubts.on(() => {
        this.#catalog.doubtAll();
        this.#wantAll();
      }),
      vfs.catalogChanges.on((news) => this.#changed(news)),
    ];
    this.#stopListening = () => {
      for (const stop of stops) stop();
    };
  }

  close(): void {
    this.#stopListening();
    clearTimeout(this.#timer);
  }

  #attached(): void {
    // One that was silent for a while, and is heard again, has reported all that changed.
    if (this.#generation === this.#vfs.generation) {
      this.#soon(0);
      return;
    }
    this.#generation = this.#vfs.generation;
    this.#catalog.fallBehind();
    this.#wantAll();
  }

  #wantAll(): void {
    this.#wantsAll = true;
    this.#news.clear();
    this.#soon(this.#hasAsked ? Math.random() * MOST_DELAY_MS : 0);
  }

  #changed(news: readonly CatalogNews[]): void {
    this.#catalog.narrow(news);
    for (const changed of news) this.#news.set(changed.node_id, changed);
    this.#soon(MOST_DELAY_MS);
  }

  #soon(delayMs: number): void {
    if (this.#isAsking || this.#vfs.state !== 'attached') return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#ask();
    }, delayMs).unref();
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    this.#hasAsked = true;
    let retryMs = MOST_DELAY_MS;
    try {
      while (this.#wantsAll || this.#news.size > 0) await (this.#wantsAll ? this.#askAll() : this.#askSome());
      await this.#shown;
      this.#report();
    } catch (thrown) {
      const error = FsError.from(thrown);
      // An older control plane has none.
      if (error.code === 'EOPNOTSUPP' || error.code === 'ENOSYS') this.#wantsAll = false;
      if (error.code !== 'EHOSTDOWN') {
        this.#log.debug('The catalog was not sent.', { error: error.message });
        retryMs = RETRY_MS;
      }
    } finally {
      this.#isAsking = false;
    }
    if (this.#wantsAll || this.#news.size > 0) this.#soon(retryMs);
  }

  #report(): void {
    const { size: nodes, bytes, unkept } = this.#catalog;
    this.#log.debug('The catalog is kept.', { nodes, bytes });
    if (unkept > 0 && this.#unkept === 0)
      this.#log.warn('The descriptors of some nodes are too much to keep.', { nodes: unkept });
    this.#unkept = unkept;
  }

  async #askAll(): Promise<void> {
    const seen = new Set<string>();
    this.#wantsAll = false;
    const requestFor = (from: From): CatalogRequest => ({
      known: this.#catalog.digestsFrom(from?.node ?? '', MAX_CATALOG_NODES),
    });
    try {
      if (!(await this.#takePages(requestFor, (nodeId) => seen.add(nodeId)))) return;
    } catch (thrown) {
      this.#wantsAll = true;
      throw thrown;
    }
    for (const { node_id: nodeId, visible } of this.#news.values()) {
      if (visible) seen.add(nodeId);
      else seen.delete(nodeId);
    }
    this.#catalog.complete(seen);
  }

  async #askSome(): Promise<void> {
    const asked = [...this.#news].slice(0, MAX_CATALOG_NODES);
    const only = asked.map(([nodeId]) => nodeId).sort();
    for (const nodeId of only) this.#news.delete(nodeId);
    const gone = new Set(only);
    try {
      const requestFor = (): CatalogRequest => ({ only });
      if (!(await this.#takePages(requestFor, (nodeId) => gone.delete(nodeId)))) return;
    } catch (thrown) {
      for (const [nodeId, news] of asked) if (!this.#news.has(nodeId)) this.#news.set(nodeId, news);
      throw thrown;
    }
    this.#catalog.drop([...gone].filter((nodeId) => !this.#news.has(nodeId)));
  }

  /** Page after page; false where all has to be asked for anew meanwhile. */
  async #takePages(
    requestFor: (from: From) => CatalogRequest,
    onNode: (nodeId: string) => void,
  ): Promise<boolean> {
    let from: From;
    do {
      const page = await this.#vfs.askCatalog({
        ...requestFor(from),
        ...(from === undefined ? {} : { from }),
      });
      if (this.#wantsAll) return false;
      this.#catalog.apply(page);
      // What was reported while the page was on its way is newer.
      this.#catalog.narrow(this.#news.values());
      for (const { node_id: nodeId } of page.nodes) onNode(nodeId);
      from = page.next;
    } while (from !== undefined);
    return true;
  }
}
