import type { Emitter, Log, ServiceId } from '../core/index.js';
import { lineFromFault, type ManifestFault } from '../manifest/index.js';
import type { FolderFault } from './list-manifests.js';
import type { ManifestFile } from './manifest-file.js';

/** A manifest that has become faulty, differently faulty, disabled, or good again. */
export interface ReloadReport {
  readonly file: string;
  /** The service that the file gives at present. */
  readonly serviceId: ServiceId | null;
  /** The service that it leaves out, as it says `"enabled": false`. */
  readonly disabled: ServiceId | null;
  /** Empty: the file is good, or gone. */
  readonly faults: readonly ManifestFault[];
}

/** Reports faults in the log and as events: once when they come, once when they go. */
export class ReloadReporter {
  readonly #log: Log;
  readonly #reports: Emitter<ReloadReport>;
  readonly #reportedFiles = new Map<string, string>();
  #reportedFolders = new Map<string, string>();

  constructor(log: Log, reports: Emitter<ReloadReport>) {
    this.#log = log;
    this.#reports = reports;
  }

  reportFiles(files: ReadonlyMap<string, ManifestFile>): void {
    for (const file of files.values()) this.#reportFile(file);
    for (const path of [...this.#reportedFiles.keys()]) {
      if (files.has(path)) continue;
      this.#reportedFiles.delete(path);
      this.#reports.emit({ file: path, serviceId: null, disabled: null, faults: [] });
    }
  }

  /** True when a folder that could not be used can be used again. */
  reportFolders(faults: readonly FolderFault[]): boolean {
    const now = new Map(faults.map(({ folder, message }) => [folder, message]));
    for (const { folder, message, hint } of faults)
      if (this.#reportedFolders.get(folder) !== message)
        this.#log.error(message, { hint, kept: 'the services that it gave before' });
    const mended = [...this.#reportedFolders.keys()].filter((folder) => !now.has(folder));
    for (const folder of mended) this.#log.info('services directory can be used again', { folder });
    this.#reportedFolders = now;
    return mended.length > 0;
  }

  #reportFile(file: ManifestFile): void {
    const { warnings } = file;
    const disabled = file.disabled?.serviceId ?? null;
    const off = disabled === null ? [] : [`disabled ${disabled}`];
    const text = [...off, ...[...file.faults, ...warnings].map(lineFromFault)].join('\n');
    if (text === (this.#reportedFiles.get(file.path) ?? '')) return;
    if (text === '') this.#reportedFiles.delete(file.path);
    else this.#reportedFiles.set(file.path, text);
    const serviceId = file.held?.serviceId ?? null;
    const running = serviceId === null ? {} : { still_running: serviceId };
    for (const fault of file.faults) this.#log.error(lineFromFault(fault), { ...hintOf(fault), ...running });
    for (const fault of warnings) this.#log.warn(lineFromFault(fault), hintOf(fault));
    if (disabled !== null)
      this.#log.info('manifest is disabled; its service is left out', { file: file.path, service: disabled });
    if (text === '') this.#log.info('manifest is good again', { file: file.path });
    this.#reports.emit({ file: file.path, serviceId, disabled, faults: file.faults });
  }
}

function hintOf({ hint }: { readonly hint: string }): { readonly hint?: string } {
  return hint === '' ? {} : { hint };
}
