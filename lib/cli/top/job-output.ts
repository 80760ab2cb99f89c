import { FsError } from '../../core/index.js';
import { followStream } from '../../worldfs/index.js';
import { harmless } from '../harmless.js';
import { fitted, padded } from '../text-width.js';
import type { Tree } from '../tree-access.js';
import type { JobRow } from './service-table.js';

/** The end of what it printed is kept. */
const MOST_CHARACTERS = 64 * 1024;

/** What a call prints, as it comes: the end of its stderr and of its stdout. */
export class JobOutput {
  readonly #job: JobRow;
  readonly #over = new AbortController();
  #text = '';
  #state = 'runs';

  constructor(tree: Tree, job: JobRow, changed: () => void) {
    this.#job = job;
    const follow = async (name: 'stderr' | 'stdout'): Promise<void> => {
      const decoder = new TextDecoder();
      await followStream(tree, `${job.path}/${name}`, this.#over.signal, (bytes) => {
        this.#text = (this.#text + harmless(decoder.decode(bytes, { stream: true }))).slice(-MOST_CHARACTERS);
        changed();
      });
    };
    Promise.all([follow('stderr'), follow('stdout')]).then(
      () => this.#ended('has ended', changed),
      (thrown: unknown) => this.#ended(FsError.from(thrown).sentence, changed),
    );
  }

  close(): void {
    this.#over.abort();
  }

  lines(rows: number, columns: number): string[] {
    const { id, service } = this.#job;
    const title = `${service.node}/${service.service} ${id}: ${this.#state}. Any key goes back.`;
    const text = this.#text.split('\n');
    if (text.at(-1) === '') text.pop();
    const shown = text
      .slice(-Math.max(1, rows - 1))
      .map((line) => fitted(line.replaceAll('\t', '    '), columns));
    return [`\u001b[7m${padded(title, columns)}`, ...shown];
  }

  #ended(state: string, changed: () => void): void {
    if (this.#over.signal.aborted) return;
    this.#state = harmless(state);
    changed();
  }
}
