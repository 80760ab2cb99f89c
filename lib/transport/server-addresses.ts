import { FsError, systemClock, type Clock } from '../core/index.js';

/** So many addresses at most: a client that is given more was given a mistake. */
const MAX_ADDRESSES = 32;
/** Without an answer for so long, the next address is tried beside this one. */
const HEDGE_MS = 500;
/** An address that failed, or whose server goes away, comes after the others for so long. */
const FAILED_MS = 5_000;
const LEAVING_MS = 60_000;

/** What is known of one address. */
export interface AddressView {
  readonly url: string;
  /** `down`: it did not answer when it was tried last. `leaving`: its server said that it goes. */
  readonly state: 'in use' | 'untried' | 'fine' | 'down' | 'leaving';
  /** Why it is down. */
  readonly error: string | null;
}

interface Address {
  readonly url: string;
  /** When it may be tried before the others again. */
  lastUntilMs: number;
  state: 'untried' | 'fine' | 'down' | 'leaving';
  error: string | null;
}

export interface ServerAddressesOptions {
  readonly hedgeMs?: number;
  readonly clock?: Clock;
  /** 0 to 1: in which order this client takes them. */
  readonly random?: () => number;
}

/**
 * The addresses of servers of which each does as well as another. Each client has an order of its own, so that many spread
 * evenly; all connections of one client share it, and so what was learned of an address.
 */
export class ServerAddresses {
  readonly #addresses: readonly Address[];
  readonly #hedgeMs: number;
  readonly #clock: Clock;
  #current: string | undefined;

  /** @throws TypeError where there is none, or there are far too many */
  constructor(urls: readonly string[], options: ServerAddressesOptions = {}) {
    const { hedgeMs = HEDGE_MS, clock = systemClock, random = Math.random } = options;
    const distinct = [...new Set(urls)];
    if (distinct.length === 0 || distinct.length > MAX_ADDRESSES)
      throw new TypeError(`There must be 1 to ${MAX_ADDRESSES} addresses.`);
    this.#addresses = shuffled(distinct, random).map((url) => ({
      url,
      lastUntilMs: -Infinity,
      state: 'untried',
      error: null,
    }));
    this.#hedgeMs = hedgeMs;
    this.#clock = clock;
  }

  /** Of a text with one address, or several with commas between. */
  static from(text: string, options: ServerAddressesOptions = {}): ServerAddresses {
    return new ServerAddresses(addressesIn(text), options);
  }

  /** Whether there is another one to go to. */
  get hasOthers(): boolean {
    return this.#addresses.length > 1;
  }

  /** The one that was connected to last. */
  get current(): string | undefined {
    return this.#current;
  }

  get views(): readonly AddressView[] {
    return this.#addresses.map(({ url, state, error }) => ({
      url,
      state: url === this.#current && state === 'fine' ? 'in use' : state,
      error,
    }));
  }

  /** The connection to it was lost, or it fell silent: the others come first for now. */
  failed(url: string, error: string): void {
    this.#mark(url, 'down', FAILED_MS, error);
  }

  /** Its server said that it goes. */
  leaving(url: string): void {
    this.#mark(url, 'leaving', LEAVING_MS, null);
  }

  /**
   * Connects to the address that is ready first: one after the other is tried, the next at once where one fails, and after
   * a while where it does not answer; those under way race, and what comes too late is given to `discard`. `only`: to
   * that one alone.
   * @throws FsError an answer that another address would give too (EACCES, ESTALE) at once; else what went wrong last
   *   with all of them; ECANCELED when `signal` aborts
   */
  connect<Made>(
    dial: (url: string, signal: AbortSignal) => Promise<Made>,
    { signal, discard, only }: { signal: AbortSignal; discard: (late: Made) => void; only?: string },
  ): Promise<Made> {
    const order = only === undefined ? this.#order() : [only];
    return new Promise<Made>((resolve, reject) => {
      const under = new Set<AbortController>();
      let next = 0;
      let stopTimer: (() => void) | undefined;
      let isSettled = false;
      const settle = (act: () => void): void => {
        isSettled = true;
        stopTimer?.();
        signal.removeEventListener('abort', onAbort);
        for (const attempt of under) attempt.abort(new FsError('ECANCELED', 'Another address was quicker.'));
        act();
      };
      const onAbort = (): void => settle(() => reject(FsError.from(signal.reason)));
      const begin = (): void => {
        stopTimer?.();
        const url = order[next++];
        if (url === undefined) return;
        const attempt = new AbortController();
        under.add(attempt);
        dial(url, attempt.signal).then(
          (made) => {
            under.delete(attempt);
            if (isSettled) {
              discard(made);
              return;
            }
            this.#mark(url, 'fine', -Infinity, null);
            this.#current = url;
            settle(() => resolve(made));
          },
          (thrown: unknown) => {
            under.delete(attempt);
            if (isSettled) return;
            const error = FsError.from(thrown);
            if (isAnswerOfAll(error)) {
              settle(() => reject(error));
              return;
            }
            this.failed(url, error.message);
            if (next < order.length) begin();
            else if (under.size === 0) settle(() => reject(error));
          },
        );
        if (next < order.length) stopTimer = this.#clock.after(this.#hedgeMs, begin);
      };
      if (signal.aborted) {
        reject(FsError.from(signal.reason));
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
      begin();
    });
  }

  /** In this client's order; those that failed or go away come last, the sooner they may be tried the earlier. */
  #order(): string[] {
    const now = this.#clock.now();
    const rank = ({ lastUntilMs }: Address): number => (lastUntilMs > now ? lastUntilMs : -Infinity);
    return this.#addresses
      .map((address, place) => ({ url: address.url, rank: rank(address), place }))
      .sort((a, b) => (a.rank === b.rank ? a.place - b.place : a.rank - b.rank))
      .map(({ url }) => url);
  }

  #mark(url: string, state: Address['state'], forMs: number, error: string | null): void {
    const address = this.#addresses.find((one) => one.url === url);
    if (address === undefined) return;
    if (state === 'down' && address.state === 'leaving' && address.lastUntilMs > this.#clock.now()) return;
    Object.assign(address, { state, error, lastUntilMs: this.#clock.now() + forMs });
  }
}

/** The addresses in a text that has commas between them. */
export function addressesIn(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** They know the same tokens and nodes: where one refuses, so will the others. */
function isAnswerOfAll({ code }: FsError): boolean {
  return code === 'EACCES' || code === 'ESTALE';
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const left = [...items];
  const order: Item[] = [];
  while (left.length > 0)
    order.push(...left.splice(Math.min(left.length - 1, Math.floor(random() * left.length)), 1));
  return order;
}
