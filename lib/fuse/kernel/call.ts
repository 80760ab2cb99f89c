/** One request as its handler sees it: the caller, and whether the caller still waits. */
export class Call {
  readonly opcode: number;
  readonly unique: number;
  readonly nodeid: number;
  readonly uid: number;
  readonly gid: number;
  /** The calling thread, in the pid namespace of the mount; 0 where it is not visible there. */
  readonly pid: number;
  /** Permission bits that the caller's umask took from the mode of what it makes. */
  masked = 0;
  #controller: AbortController | undefined;
  #abandoned: { reason: unknown } | undefined;

  constructor(opcode: number, unique: number, nodeid: number, uid: number, gid: number, pid: number) {
    this.opcode = opcode;
    this.unique = unique;
    this.nodeid = nodeid;
    this.uid = uid;
    this.gid = gid;
    this.pid = pid;
  }

  /** Aborts when the caller gives up. Made on first use, so that calls that do not wait pay nothing. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abandoned !== undefined) this.#controller.abort(this.#abandoned.reason);
    }
    return this.#controller.signal;
  }

  get abandoned(): boolean {
    return this.#abandoned !== undefined;
  }

  abandon(reason: unknown): void {
    if (this.#abandoned !== undefined) return;
    this.#abandoned = { reason };
    this.#controller?.abort(reason);
  }
}
