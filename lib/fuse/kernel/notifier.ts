import { Worker } from 'node:worker_threads';
import type { Device } from './device.js';

/**
 * Sends notifications. Those that take no lock (`invalInode` 'attr', `incEpoch`) go at once; the others
 * can wait for a directory or a page that a request holds, so a thread of their own sends them: in the
 * thread that answers the request that would be a deadlock, and in Node's pool of four it would stop
 * every file call of the process.
 */
export class Notifier {
  readonly #device: Device;
  #worker: Worker | undefined;
  #sent = 0;
  #done = 0;
  #closed = false;
  readonly #waiting: { until: number; resolve: () => void }[] = [];

  constructor(device: Device) {
    this.#device = device;
  }

  /** Sends a message that the kernel takes without waiting. @returns false when it is about nothing known. */
  now(message: Buffer): boolean {
    return !this.#closed && this.#device.send(message, message.byteLength);
  }

  /** Sends a message that the kernel may sit on, in order with the others of this kind. */
  later(message: Buffer): void {
    if (this.#closed) return;
    this.#sent += 1;
    this.#thread().postMessage(message);
  }

  /** Settles when all that was given to `later` so far has taken effect; undefined when it has already. */
  settled(): Promise<void> | undefined {
    if (this.#closed || this.#done === this.#sent) return undefined;
    return new Promise((resolve) => this.#waiting.push({ until: this.#sent, resolve }));
  }

  /** Once the mount is gone; when it has answered, nothing uses the descriptor. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
    this.#finish(Infinity);
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL('./notifier-worker.js', import.meta.url), {
      workerData: { fd: this.#device.fd },
      name: 'fuse-notifier',
      env: {},
      execArgv: [],
    });
    worker.unref();
    worker.on('message', (count: number) => {
      this.#done += count;
      this.#finish(this.#done);
    });
    worker.on('error', () => void this.close());
    return (this.#worker = worker);
  }

  #finish(upTo: number): void {
    for (let [first] = this.#waiting; first !== undefined && first.until <= upTo; [first] = this.#waiting) {
      this.#waiting.shift();
      first.resolve();
    }
  }
}
