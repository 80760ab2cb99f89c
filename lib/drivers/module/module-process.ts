import { EventEmitter } from 'node:events';
import type { Invocation } from '../contract.js';
import type { DriverContext } from '../driver-context.js';
import { ConfigSlots } from '../native-proc/handed-file.js';
import type { Command } from '../native-proc/command.js';
import { ProcessGroup } from '../native-proc/process-group.js';
import { destroyStdio } from '../native-proc/stdio-pipes.js';
import type { ToWorker } from '../worker/messages.js';

/** A process of its own that serves as a thread would: for a module that runs as another user. */
export class ModuleProcess extends EventEmitter {
  readonly #group: ProcessGroup;
  readonly #configs: ConfigSlots;

  /** @throws what `spawn` throws at once; other failures are an `error` event. */
  constructor(command: Command, { ledger, log }: DriverContext) {
    super();
    this.#configs = new ConfigSlots(command.ids);
    try {
      const withMessages = { ...command, handed: this.#configs.handed, hasMessages: true };
      this.#group = new ProcessGroup(withMessages, ledger, log);
    } catch (thrown) {
      this.#configs.close();
      throw thrown;
    }
    const { child, stdio } = this.#group;
    child.on('message', (message) => this.emit('message', message));
    child.on('error', (error) => this.emit('error', error));
    // What bypasses the streams of a call must not fill up unread.
    for (const stream of stdio === null ? [] : [stdio.stdout, stdio.stderr]) stream.resume();
    stdio?.stdin.destroy();
    void this.#group.ended.then((exit) => {
      this.#configs.close();
      if (exit !== null) this.emit('exit', exit.code ?? 1);
    });
  }

  /** Where it finds this config. It serves one call at a time. */
  pathOf(config: Invocation['config']): string {
    return this.#configs.pathOf(config);
  }

  postMessage(message: ToWorker): void {
    // Where it cannot be sent, the end of the process says so.
    this.#group.nodeChild?.send(message, () => undefined);
  }

  async terminate(): Promise<void> {
    this.#group.nodeChild?.ref();
    this.#group.kill();
    await this.#group.ended;
    if (this.#group.stdio !== null) destroyStdio(this.#group.stdio);
  }

  unref(): void {
    this.#group.nodeChild?.unref();
    this.#group.nodeChild?.channel?.unref();
  }
}
