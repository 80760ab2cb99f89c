import { FsError } from '../../core/index.js';
import { harmless } from '../harmless.js';
import { WRITE, openFile } from '../../worldfs/index.js';
import type { Tree } from '../tree-access.js';
import { FullScreen } from './full-screen.js';
import { JobOutput } from './job-output.js';
import { COLUMNS, arranged, type JobRow, type ServiceRow } from './service-table.js';
import type { ServiceWatch } from './service-watch.js';
import { HELP, roomFor, topLines, type TopState } from './top-view.js';

type Mode =
  | { readonly kind: 'table' | 'help' }
  /** `before`: the filter that escape takes back to. */
  | { readonly kind: 'filter'; readonly before: string }
  | { readonly kind: 'cancel'; readonly job: JobRow }
  | { readonly kind: 'output'; readonly output: JobOutput };

/** `acheron top` at a terminal: keys in, lines out. */
export class TopScreen {
  readonly #watch: ServiceWatch;
  readonly #tree: Tree;
  readonly #screen: FullScreen;
  readonly #quit: () => void;
  #mode: Mode = { kind: 'table' };
  #filter: string;
  #column = 0;
  #isDescending = false;
  #pane: TopState['pane'] = 'services';
  #chosen = 0;
  #first = 0;
  #said: string | null = null;
  /** The rows in order, and of what: with thousands of them that takes its time. */
  #arranged: { readonly of: string; readonly rows: readonly ServiceRow[] } = { of: '', rows: [] };

  constructor(watch: ServiceWatch, tree: Tree, filter: string, quit: () => void) {
    this.#watch = watch;
    this.#tree = tree;
    this.#filter = filter;
    this.#quit = quit;
    this.#screen = new FullScreen(
      (keys) => {
        for (const key of keys) this.#press(key);
        this.draw();
      },
      () => this.draw(),
    );
  }

  /** The services that are on the screen. */
  get seen(): readonly ServiceRow[] {
    return this.#rows().slice(this.#first, this.#first + this.#room);
  }

  /** Shows what went wrong where the keys stand, until something else is said. */
  say(text: string | null): void {
    this.#said = text;
  }

  leave(): void {
    this.#backToTable();
    this.#screen.leave();
  }

  draw(): void {
    const { rows, columns } = this.#screen;
    const mode = this.#mode;
    if (mode.kind === 'help') return this.#screen.show(HELP);
    if (mode.kind === 'output') return this.#screen.show(mode.output.lines(rows, columns));
    const shown = this.#rows();
    const { jobs } = this.#watch;
    const most = (this.#pane === 'services' ? shown.length : jobs.length) - 1;
    this.#chosen = Math.max(0, Math.min(this.#chosen, most));
    if (this.#pane === 'services') {
      if (this.#chosen < this.#first) this.#first = this.#chosen;
      if (this.#chosen >= this.#first + this.#room) this.#first = this.#chosen - this.#room + 1;
    }
    this.#first = Math.max(0, Math.min(this.#first, shown.length - this.#room));
    const state: TopState = {
      all: this.#watch.rows,
      rows: shown,
      jobs,
      first: this.#first,
      pane: this.#pane,
      chosen: this.#chosen,
      column: this.#column,
      isDescending: this.#isDescending,
      filter: this.#filter,
      prompt: this.#prompt(),
    };
    this.#screen.show(topLines(state, rows, columns));
  }

  get #room(): number {
    return roomFor(this.#watch.jobs.length, this.#screen.rows);
  }

  #rows(): readonly ServiceRow[] {
    const order = { filter: this.#filter, column: this.#column, isDescending: this.#isDescending };
    const of = `${this.#watch.revision} ${JSON.stringify(order)}`;
    if (this.#arranged.of !== of) this.#arranged = { of, rows: arranged(this.#watch.rows, order) };
    return this.#arranged.rows;
  }

  #prompt(): string | null {
    const mode = this.#mode;
    if (mode.kind === 'filter') return `Filter: ${this.#filter}_`;
    if (mode.kind === 'cancel') return `Cancel the call ${mode.job.id} of ${mode.job.service.service}? y, n`;
    return this.#said;
  }

  #press(key: string): void {
    const mode = this.#mode;
    if (key === 'ctrl-c') return this.#quit();
    if (mode.kind === 'filter') return this.#pressInFilter(key, mode.before);
    if (mode.kind === 'table') return this.#pressInTable(key);
    this.#backToTable();
    if (mode.kind === 'cancel' && key === 'y') void this.#cancel(mode.job);
  }

  #pressInFilter(key: string, before: string): void {
    if (key === 'enter') this.#mode = { kind: 'table' };
    else if (key === 'escape') {
      this.#filter = before;
      this.#mode = { kind: 'table' };
    } else if (key === 'backspace') this.#filter = this.#filter.slice(0, -1);
    else if (key.length <= 2) this.#filter += key;
    this.#chosen = 0;
  }

  #pressInTable(key: string): void {
    this.#said = null;
    const page = Math.max(1, this.#room - 1);
    const job = this.#pane === 'jobs' ? this.#watch.jobs[this.#chosen] : undefined;
    const acts = new Map<string, () => void>([
      ['q', this.#quit],
      ['up', () => this.#chosen--],
      ['k', () => this.#chosen--],
      ['down', () => this.#chosen++],
      ['j', () => this.#chosen++],
      ['page up', () => (this.#chosen -= page)],
      ['page down', () => (this.#chosen += page)],
      ['s', () => this.#sortBy(1)],
      ['right', () => this.#sortBy(1)],
      ['S', () => this.#sortBy(-1)],
      ['left', () => this.#sortBy(-1)],
      ['r', () => (this.#isDescending = !this.#isDescending)],
      ['/', () => (this.#mode = { kind: 'filter', before: this.#filter })],
      ['?', () => (this.#mode = { kind: 'help' })],
      ['tab', () => this.#otherPane()],
      ['enter', () => (job === undefined ? this.#sayChoose() : this.#open(job))],
      ['c', () => (job === undefined ? this.#sayChoose() : (this.#mode = { kind: 'cancel', job }))],
    ]);
    acts.get(key)?.();
  }

  #sayChoose(): void {
    this.#said = 'Choose a call first: tab, then up and down.';
  }

  #sortBy(step: number): void {
    this.#column = (this.#column + step + COLUMNS.length) % COLUMNS.length;
    this.#isDescending = COLUMNS[this.#column]?.isNumber === true;
    this.#chosen = this.#first = 0;
  }

  #otherPane(): void {
    this.#pane = this.#pane === 'services' && this.#watch.jobs.length > 0 ? 'jobs' : 'services';
    this.#chosen = this.#pane === 'services' ? this.#first : 0;
  }

  #open(job: JobRow): void {
    this.#mode = { kind: 'output', output: new JobOutput(this.#tree, job, () => this.draw()) };
  }

  #backToTable(): void {
    if (this.#mode.kind === 'output') this.#mode.output.close();
    this.#mode = { kind: 'table' };
  }

  async #cancel(job: JobRow): Promise<void> {
    try {
      const handle = await openFile(this.#tree, `${job.path}/cancel`, WRITE);
      try {
        await handle.write(0, Buffer.from('cancel\n'), this.#tree.op());
        await handle.flush?.(this.#tree.op());
      } finally {
        await handle.release();
      }
      this.#said = `The call ${job.id} was cancelled.`;
    } catch (thrown) {
      const { code, sentence } = FsError.from(thrown);
      this.#said = harmless(`${code}: ${sentence}`);
    }
    this.draw();
  }
}
