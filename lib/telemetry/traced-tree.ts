import { FsError, traceparentFrom, type Span, type Tracer } from '../core/index.js';
import {
  ForwardingDir,
  ForwardingFile,
  ForwardingHandle,
  ForwardingSymlink,
  type Awaitable,
  type DirNode,
  type FileHandle,
  type FileNode,
  type Node,
  type OpenFlags,
  type Op,
  type Stat,
  type SymlinkNode,
  type Vfs,
  type Wrapper,
} from '../vfs/index.js';

/** As much of a request is looked through for what caused it. */
const LOOKED_AT_BYTES = 64 * 1024;
const CAUSE = /"_traceparent"\s*:\s*"([0-9a-f-]{55})"/;
/** Writes to these begin calls. */
const CALLS = new Set(['invoke.json', 'submit.json']);

/**
 * `vfs`, of which each write that begins a call is a span, `<what> <service>`, and causes what is done about it further
 * on. Closing it closes `vfs`.
 */
export function tracedTree(vfs: Vfs, what: string, tracer: Tracer): Vfs {
  const tracing = new Tracing(what, tracer);
  return {
    root: tracing.dir(vfs.root),
    changes: vfs.changes,
    ...(vfs.extendedAttributes === undefined ? {} : { extendedAttributes: vfs.extendedAttributes }),
    ...(vfs.listsAttributes === undefined ? {} : { listsAttributes: vfs.listsAttributes }),
    close: () => vfs.close(),
  };
}

/** One twin for each node, so that identity is kept; nothing is refused. */
class Tracing implements Wrapper {
  readonly what: string;
  readonly tracer: Tracer;
  readonly #twins = new WeakMap<Node, Node>();
  /** The names of the directories above, by which a span says which service it is about. */
  readonly #names = new WeakMap<Node, readonly string[]>();

  constructor(what: string, tracer: Tracer) {
    this.what = what;
    this.tracer = tracer;
  }

  look(): void {
    return undefined;
  }
  change(): void {
    return undefined;
  }
  checkAccess(): void {
    return undefined;
  }
  shown(stat: Stat): Stat {
    return stat;
  }
  handle(inner: FileHandle): FileHandle {
    return inner;
  }

  dir(inner: DirNode): DirNode {
    return this.#twin(inner, () => new TracedDir(this, inner));
  }
  file(inner: FileNode): FileNode {
    return this.#twin(inner, () => new ForwardingFile(this, inner));
  }
  symlink(inner: SymlinkNode): SymlinkNode {
    return this.#twin(inner, () => new ForwardingSymlink(this, inner));
  }

  namesOf(node: Node): readonly string[] {
    return this.#names.get(node) ?? [];
  }

  /** The twin of what a directory found by a name; of what begins calls one that is traced. */
  named(found: Node, parent: Node, name: string): Node {
    const names = [...this.namesOf(parent).slice(-4), name];
    const isCall = found.kind === 'file' && CALLS.has(name) && names.at(-2) === 'control';
    if (isCall && found instanceof ForwardingFile)
      return new TracedFile(this, found.inner, names.at(-3) ?? 'service');
    if (found.kind === 'dir') this.#names.set(found, names);
    return found;
  }

  #twin<Kind extends Node>(inner: Kind, make: () => Kind): Kind {
    const known = this.#twins.get(inner) as Kind | undefined;
    if (known !== undefined) return known;
    const made = make();
    this.#twins.set(inner, made);
    return made;
  }
}

class TracedDir extends ForwardingDir {
  readonly #tracing: Tracing;

  constructor(tracing: Tracing, inner: DirNode) {
    super(tracing, inner);
    this.#tracing = tracing;
  }

  override lookup(name: string, op: Op): Awaitable<Node> {
    const found = super.lookup(name, op);
    if (found instanceof Promise) return found.then((node) => this.#tracing.named(node, this, name));
    return this.#tracing.named(found, this, name);
  }

  override lookupSync(name: string, op: Op): Node | undefined {
    const found = super.lookupSync(name, op);
    return found === undefined ? undefined : this.#tracing.named(found, this, name);
  }
}

class TracedFile extends ForwardingFile {
  readonly #tracing: Tracing;
  readonly #service: string;

  constructor(tracing: Tracing, inner: FileNode, service: string) {
    super(tracing, inner);
    this.#tracing = tracing;
    this.#service = service;
  }

  override open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    const opened = super.open(flags, op);
    if (!flags.write) return opened;
    if (opened instanceof Promise) return opened.then((handle) => this.#traced(handle));
    return this.#traced(opened);
  }

  #traced(handle: FileHandle): FileHandle {
    return new TracedHandle(handle, this.#tracing, this.#service);
  }
}

class TracedHandle extends ForwardingHandle {
  readonly #tracing: Tracing;
  readonly #service: string;

  constructor(inner: FileHandle, tracing: Tracing, service: string) {
    super(inner);
    this.#tracing = tracing;
    this.#service = service;
  }

  override write(at: number, data: Uint8Array, op: Op): Awaitable<number> {
    const { tracer, what } = this.#tracing;
    const span = tracer.begin(`${what} ${this.#service}`, 'client', op.traceparent ?? causeIn(data), {
      'acheron.service': this.#service,
    });
    try {
      const written = super.write(at, data, causedBy(op, span));
      if (!(written instanceof Promise)) {
        span.end(null);
        return written;
      }
      return written.then(
        (count) => {
          span.end(null);
          return count;
        },
        (thrown: unknown) => {
          span.end(FsError.from(thrown));
          throw thrown;
        },
      );
    } catch (thrown) {
      span.end(FsError.from(thrown));
      throw thrown;
    }
  }
}

/** The same request, which a span causes. Its signal may be made on first use, so it is passed on as it is. */
function causedBy(op: Op, span: Span): Op {
  return {
    session: op.session,
    get signal() {
      return op.signal;
    },
    ...(op.caller === undefined ? {} : { caller: op.caller }),
    ...(op.origin === undefined ? {} : { origin: op.origin }),
    masked: op.masked,
    remoteUid: op.remoteUid,
    traceparent: span.traceparent,
  };
}

/** What a request says caused it. */
function causeIn(data: Uint8Array): string | null {
  const text = Buffer.from(data.buffer, data.byteOffset, Math.min(data.byteLength, LOOKED_AT_BYTES));
  return traceparentFrom(CAUSE.exec(text.toString('latin1'))?.[1]);
}
