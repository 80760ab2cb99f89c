import type { Action } from '../../policy/index.js';
import {
  BaseFile,
  GuardedHandle,
  ReadOnlyHandle,
  fileStat,
  newIno,
  nsFromMs,
  type Awaitable,
  type FileHandle,
  type Freshness,
  type OpenFlags,
  type Op,
  type Stat,
} from '../../vfs/index.js';
import type { Service } from '../service.js';

export interface OneShot {
  readonly action: Action;
  /** What the file reads as: how to use it. */
  readonly usage: string;
  act(written: string, op: Op): Awaitable<unknown>;
}

/** A control to which any bytes may be written: each write acts once, and returns when it has. */
export class OneShotControl extends BaseFile {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  override readonly perOpen = true;
  readonly #service: Service;
  readonly #control: OneShot;
  readonly #usage: Buffer;

  constructor(service: Service, control: OneShot) {
    super();
    this.#service = service;
    this.#control = control;
    this.#usage = Buffer.from(`${control.usage}\n`);
  }

  stat(op: Op): Stat {
    this.#service.gate.require(op.session, 'observe');
    const mode = this.#service.gate.allows(op.session, this.#control.action) ? 0o644 : 0o444;
    return fileStat(this.ino, nsFromMs(this.#service.definedAtMs), mode, this.#usage.length);
  }

  open(flags: OpenFlags, op: Op): FileHandle {
    if (flags.write) this.#service.authorize(op.session, this.#control.action);
    const check = (later: Op, writes: boolean): void =>
      this.#service.gate.require(later.session, writes ? this.#control.action : 'observe');
    return new GuardedHandle(new OneShotHandle(this, this.#control, this.#usage), check);
  }
}

class OneShotHandle extends ReadOnlyHandle {
  readonly #file: OneShotControl;
  readonly #control: OneShot;
  readonly #usage: Buffer;

  constructor(file: OneShotControl, control: OneShot, usage: Buffer) {
    super();
    this.#file = file;
    this.#control = control;
    this.#usage = usage;
  }

  stat(op: Op): Stat {
    return this.#file.stat(op);
  }

  read(at: number, size: number): Uint8Array {
    return this.#usage.subarray(at, at + size);
  }

  override write(_at: number, data: Uint8Array, op: Op): Awaitable<number> {
    const { length } = data;
    const acted = this.#control.act(Buffer.from(data).toString().trim(), op);
    return acted instanceof Promise ? acted.then(() => length) : length;
  }
}
