import type { Invocation } from '../contract.js';
import { configBytes, HandedFile } from '../native-proc/handed-file.js';
import type { DriverThread } from '../worker/messages.js';
import type { HandedConfig, HandedConfigs } from '../worker/worker-kind.js';
import { ModuleProcess } from './module-process.js';

/** One config, for all calls that have it. */
interface SharedFile {
  readonly content: Buffer;
  readonly file: HandedFile;
  calls: number;
}

/** The config of a `module`'s service as a file: one for all threads, made anew when the config changes. */
export class ModuleConfigs implements HandedConfigs {
  #current: SharedFile | undefined;

  hand(config: Invocation['config'], thread: DriverThread): HandedConfig {
    if (thread instanceof ModuleProcess) return { path: thread.pathOf(config), close: () => undefined };
    const shared = this.#sharedOf(configBytes(config));
    shared.calls++;
    return {
      // The name that it has for programs which the module starts, too.
      path: `/proc/${process.pid}/fd/${shared.file.fd}`,
      close: () => {
        shared.calls--;
        this.#closeUnused(shared);
      },
    };
  }

  close(): void {
    const last = this.#current;
    this.#current = undefined;
    if (last !== undefined) this.#closeUnused(last);
  }

  #sharedOf(content: Buffer): SharedFile {
    if (this.#current?.content === content) return this.#current;
    this.close();
    const file = new HandedFile(null);
    file.write(content);
    file.seal();
    return (this.#current = { content, file, calls: 0 });
  }

  #closeUnused(shared: SharedFile): void {
    if (shared !== this.#current && shared.calls === 0) shared.file.close();
  }
}
