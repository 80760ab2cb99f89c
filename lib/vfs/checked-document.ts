import { FsError } from '../core/index.js';
import { Document, type DocumentOptions, type Snapshot } from './document.js';
import { GuardedHandle } from './guarded-handle.js';
import type { Awaitable, FileHandle, OpenFlags, Op } from './types.js';

/** A document of which each look, through open descriptors too, asks first; `check` throws what is to be seen. */
export class CheckedDocument extends Document {
  readonly #check: (op: Op) => void;

  constructor(
    render: (op: Op) => Awaitable<Snapshot>,
    check: (op: Op) => void,
    options: DocumentOptions = {},
  ) {
    super((op) => {
      check(op);
      return render(op);
    }, options);
    this.#check = check;
  }

  override open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    const opened = super.open(flags, op);
    const guard = (handle: FileHandle): FileHandle => new GuardedHandle(handle, this.#check);
    return opened instanceof Promise ? opened.then(guard) : guard(opened);
  }
}

/**
 * An index of things that each session sees its part of. A descriptor that shows what its session may no
 * longer see shows nothing any more: ESTALE, until it is opened anew.
 */
export class IndexDocument<Entry> extends Document {
  readonly #visible: (op: Op) => readonly Entry[];
  readonly #idOf: (entry: Entry) => string;

  constructor(
    index: {
      /** What the session may see now, which is asked for at each look. @throws FsError where it may not see the index either. */
      readonly visible: (op: Op) => readonly Entry[];
      readonly idOf: (entry: Entry) => string;
      readonly render: (visible: readonly Entry[], op: Op) => Snapshot;
    },
    options: DocumentOptions = {},
  ) {
    super((op) => index.render(index.visible(op), op), options);
    this.#visible = index.visible;
    this.#idOf = index.idOf;
  }

  override open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    const shown = this.#visible(op).map(this.#idOf);
    const check = (later: Op): void => {
      const visible = new Set(this.#visible(later).map(this.#idOf));
      if (!shown.every((id) => visible.has(id)))
        throw new FsError('ESTALE', 'This index shows what this session may no longer see.', {
          hint: 'Open it again.',
        });
    };
    const opened = super.open(flags, op);
    const guard = (handle: FileHandle): FileHandle => new IndexHandle(handle, check);
    return opened instanceof Promise ? opened.then(guard) : guard(opened);
  }
}

class IndexHandle extends GuardedHandle {
  override readonly fixed = false;
  override readonly revocable = true;
}
