import {
  Document,
  GuardedHandle,
  type Awaitable,
  type DocumentOptions,
  type FileHandle,
  type OpenFlags,
  type Op,
  type Snapshot,
} from '../../vfs/index.js';
import type { Action } from '../../policy/index.js';
import type { ServiceGate } from '../service-gate.js';

/** A document of a service: each look, also through an open descriptor, asks whether the session may. */
export class GatedDocument extends Document {
  readonly #gate: ServiceGate;
  readonly #action: Action;

  constructor(
    gate: ServiceGate,
    render: (op: Op) => Snapshot,
    options: DocumentOptions & { action?: Action } = {},
  ) {
    const action = options.action ?? 'observe';
    super((op) => {
      gate.require(op.session, action);
      return render(op);
    }, options);
    this.#gate = gate;
    this.#action = action;
  }

  override open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    const check = (later: Op): void => this.#gate.require(later.session, this.#action);
    const opened = super.open(flags, op);
    return opened instanceof Promise
      ? opened.then((handle) => new GuardedHandle(handle, check))
      : new GuardedHandle(opened, check);
  }
}
