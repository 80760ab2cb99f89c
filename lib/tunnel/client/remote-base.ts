import { FsError } from '../../core/index.js';
import { MAX_XATTR_BYTES, ROOT_NODE, type FsMessageName, type FsRequest } from '../../protocol/index.js';
import {
  chain,
  checkAccess,
  noAttributeError,
  type AttrChange,
  type Awaitable,
  type Freshness,
  type Node,
  type Op,
  type Stat,
  type StatFs,
} from '../../vfs/index.js';
import type { FsAnswer } from './pending-requests.js';
import type { RemoteDir, RemoteNode } from './remote-node.js';
import { mayChange } from './may-change.js';
import type { RemoteSession, RequestOp } from './remote-session.js';
import { moreThanAsked } from '../wire/tunnel-errors.js';
import { statFromAttributes, statFsFromWire, wireFromChange } from '../wire/wire-stat.js';

/** A node that a request names beside the one that it is about. */
export interface OtherNode {
  readonly field: 'to_node' | 'target_node';
  readonly node: RemoteBase;
}

/** Where one connection after the other is lost before its answer, what began nothing is asked so many times again. */
const MOST_REPEATS = 3;

interface KnownAttributes {
  readonly stat: Stat;
  /** It has no extended attributes; false where the far side did not say so. */
  readonly bare: boolean;
  readonly cacheVersion: number;
  readonly untilMs: number;
}

/** What nodes at the far side share: the number that stands for them, and attributes as long as they hold. */
export abstract class RemoteBase {
  abstract readonly kind: 'dir' | 'file' | 'symlink';
  readonly remote: RemoteSession;
  readonly ino: bigint;
  /** That of a connection's root is learned with the first answer about it. */
  freshness: Freshness;
  /** Where it was found, to find it again on another connection. A rename moves it. */
  parent: RemoteDir | undefined;
  name: string;
  /** How far below the root it was found. */
  readonly depth: number;
  /** The view's sequence at the last invalidation of this node. */
  invalidSequence = 0;
  #number = ROOT_NODE;
  #generation = -1;
  #attributes: KnownAttributes | undefined;
  /** Attributes that are good for the request alone that brought them: of a live node, or for a caller of its own. */
  #brought: { readonly op: RequestOp; readonly stat: Stat } | undefined;

  constructor(
    remote: RemoteSession,
    parent: RemoteDir | undefined,
    name: string,
    ino: bigint,
    freshness: Freshness,
  ) {
    this.remote = remote;
    this.parent = parent;
    this.depth = (parent?.depth ?? -1) + 1;
    this.name = name;
    this.ino = ino;
    this.freshness = freshness;
  }

  stat(op: Op): Awaitable<Stat> {
    this.admit(op);
    const kept = this.isPrivate(op) ? undefined : this.knownStat();
    const known = kept ?? (this.#brought?.op === op ? this.#brought.stat : undefined);
    return (
      known ??
      this.orInPlace(
        () => this.#askStat(op),
        (node, their) => this.#statInPlace(node, their),
      )
    );
  }

  async setattr(change: AttrChange, op: Op): Promise<Stat> {
    this.touched();
    const { payload } = await this.ask('setattr', wireFromChange(change), op);
    this.touched();
    return statFromAttributes(payload, this.ino);
  }

  access(mask: number, op: Op): Awaitable<void> {
    this.admit(op);
    const known = this.freshness === 'announced' ? this.knownStat() : undefined;
    if (known !== undefined) return checkAccess(known, mask);
    return this.orInPlace(
      () => this.#askAccess(mask, op),
      (node, their) => node.access(mask, their),
    );
  }

  isBare(op: Op): boolean | undefined {
    if (this.freshness === 'live' || this.isPrivate(op) || this.knownStat() === undefined) return undefined;
    return this.#attributes?.bare === true ? true : undefined;
  }

  getxattr(name: string, op: Op): Awaitable<Uint8Array> {
    this.admit(op);
    // The kernel asks before each write whether there are rights to be taken away; what is live has none.
    const isNone = name === 'security.capability' && this.freshness === 'live';
    if (isNone || this.isBare(op) === true) throw noAttributeError(name);
    return this.#askXattr(name, op);
  }

  async #askXattr(name: string, op: Op): Promise<Uint8Array> {
    const { payload } = await this.ask('getxattr', { name }, op);
    const value = Buffer.from(payload.value_b64, 'base64');
    if (value.byteLength > MAX_XATTR_BYTES) throw moreThanAsked();
    return value;
  }

  async setxattr(name: string, value: Uint8Array, flags: number, op: Op): Promise<void> {
    this.touched();
    await this.ask('setxattr', { name, value_b64: Buffer.from(value).toString('base64'), flags }, op);
    this.touched();
  }

  listxattr(op: Op): Awaitable<readonly string[]> {
    this.admit(op);
    return this.isBare(op) === true ? [] : this.#askXattrs(op);
  }

  async #askXattrs(op: Op): Promise<readonly string[]> {
    const { names } = (await this.ask('listxattr', {}, op)).payload;
    if (names.reduce((bytes, name) => bytes + name.length + 1, 0) > MAX_XATTR_BYTES) throw moreThanAsked();
    return names;
  }

  async removexattr(name: string, op: Op): Promise<void> {
    this.touched();
    await this.ask('removexattr', { name }, op);
    this.touched();
  }

  async statfs(op: Op): Promise<StatFs> {
    return statFsFromWire((await this.ask('statfs', {}, op)).payload);
  }

  /** Attributes that still hold, if there are any; of directories the last ones while nobody can be asked. */
  knownStat(): Stat | undefined {
    const known = this.#attributes;
    if (known === undefined || known.cacheVersion !== this.remote.cacheVersion) return undefined;
    if (performance.now() > known.untilMs && (this.kind !== 'dir' || this.remote.connected)) return undefined;
    this.remote.checkCacheUsable();
    return known.stat;
  }

  /** Caches that follow each other do not add up: what was kept here for a while is kept less long elsewhere. */
  leftMs(): number {
    const left = (this.#attributes?.untilMs ?? Infinity) - performance.now();
    return this.freshness === 'shared' ? Math.max(0, left) : Infinity;
  }

  /**
   * Keeps attributes that came with an answer to a request sent at `sequence`, for `op`; `bare`: with the word that there
   * are no extended ones.
   */
  remember(stat: Stat, sequence: number, op: RequestOp | undefined, bare = false): void {
    if (!this.remote.isFresh(sequence, this.self())) return;
    if (op !== undefined && this.isPrivate(op)) {
      this.#brought = { op, stat };
      return;
    }
    if (this.freshness === 'live') {
      this.#brought = op === undefined ? undefined : { op, stat };
      this.parent?.noteStat(this.name, stat);
    }
    const untilMs =
      this.freshness === 'announced'
        ? Infinity
        : this.freshness === 'shared'
          ? performance.now() + this.remote.host.sharedMs
          : -Infinity;
    this.#attributes = { stat, bare, cacheVersion: this.remote.cacheVersion, untilMs };
  }

  /** We changed it ourselves: what is known of it no longer holds. */
  touched(): void {
    this.invalidate(++this.remote.sequence, 'data', undefined);
  }

  invalidate(sequence: number, _what: 'attr' | 'data', _name: string | undefined): void {
    this.invalidSequence = sequence;
    this.#attributes = undefined;
    this.#brought = undefined;
  }

  /** `number` stands for this node on the connection of that generation. */
  numbered(number: number, generation: number): void {
    this.#number = number;
    this.#generation = generation;
  }

  /** It has this name too, and is found again by it. */
  foundAt(parent: RemoteDir, name: string): void {
    this.parent = parent;
    this.name = name;
  }

  /** The names that lead to it from the root. */
  get path(): string[] {
    const names = this.parent === undefined ? [] : [this.name];
    for (let dir = this.parent; dir?.parent !== undefined; dir = dir.parent) names.unshift(dir.name);
    return names;
  }

  /** Whether rights to it may be others than at `sequence` of `cacheVersion`: all was void since then, or all around it. */
  isVoidSince(cacheVersion: number, sequence: number): boolean {
    if (cacheVersion !== this.remote.cacheVersion) return true;
    for (let dir = this.parent; dir !== undefined; dir = dir.parent) {
      if (dir.treeSequence > sequence) return true;
    }
    return false;
  }

  isNumbered(number: number): boolean {
    return this.#number === number && this.#generation === this.remote.generation;
  }

  /** The number on the present connection; found again by path where the connection is another one, or the number `isStale`. */
  number(op: RequestOp, isStale = false): Awaitable<number> {
    if (this.parent === undefined) return ROOT_NODE;
    if (this.#generation === this.remote.generation && !isStale) return this.#number;
    return this.#findAgain(op);
  }

  /**
   * Asks about this node; once more, found anew, where the far side no longer knows its number. Where the connection is lost
   * meanwhile, what begins nothing is asked over the next one, and so is what was not sent yet.
   */
  async ask<Name extends FsMessageName>(
    name: Name,
    payload: Omit<FsRequest<Name>, OtherNode['field']>,
    op: RequestOp,
    other?: OtherNode,
  ): Promise<FsAnswer<Name>> {
    this.admit(op);
    const { host } = this.remote;
    if (!this.remote.connected) await host.whenConnected(op.signal);
    const written = this.#written(name, payload);
    if (written !== undefined) await written;
    let isStale = false;
    for (let repeats = 0; ;) {
      const { client } = host;
      const { generation } = this.remote;
      let isSent = false;
      try {
        const node = await this.number(op, isStale);
        const whole =
          other === undefined ? payload : { ...payload, [other.field]: await other.node.number(op, isStale) };
        // Numbers of another connection mean something else.
        if (generation !== this.remote.generation) continue;
        isSent = true;
        return await this.remote.request(name, { node }, whole as FsRequest<Name>, op);
      } catch (thrown) {
        const { code } = FsError.from(thrown);
        if (code === 'ESTALE' && this.parent !== undefined && !isStale) {
          isStale = true;
          continue;
        }
        // What came over the connection that there still is, is the far side's own answer.
        const isLost = code === 'EHOSTDOWN' && host.client !== client;
        const isBegun = isSent && mayChange(name, payload);
        if (!isLost || host.patienceMs === 0 || isBegun || repeats++ === MOST_REPEATS) throw thrown;
        await host.whenConnected(op.signal);
      }
    }
  }

  /**
   * Called first for each operation, whether or not the far side is asked.
   * @throws FsError EACCES, of a file or directory of an export, for a local user that is not the mount's own and has no
   * user there: the far side cannot know it, and would act for it as for the owner of the mount
   */
  protected admit(op: RequestOp): void {
    this.remote.notice(op.session);
    if (this.freshness !== 'shared' || this.parent === undefined) return;
    if (op.remoteUid !== undefined) {
      if (this.remote.canMapUsers || !this.remote.connected) return;
      throw new FsError('EACCES', 'The far side cannot act as another user.', {
        hint: 'Update it; or leave --map-uid out of the mount.',
      });
    }
    if (op.caller?.isGuest === true)
      throw new FsError('EACCES', 'Exports of other machines are for the owner of the mount alone.', {
        hint: 'Give the user one of its own there with --map-uid; or mount them as the user who is to use them.',
      });
  }

  /**
   * Whether what the far side answers may be for this caller alone, since it acts as a user of its own there: nothing that
   * is kept is shown to it, and nothing that it learns is kept.
   */
  protected isPrivate(op: RequestOp): boolean {
    return op.remoteUid !== undefined && this.freshness === 'shared';
  }

  /** Asks the far side; while that is away, what stands in for this node answers in its place. */
  protected orInPlace<T>(
    ask: () => Awaitable<T>,
    instead: (node: Node, op: Op) => Awaitable<T>,
  ): Awaitable<T> {
    const { standIn } = this.remote.host;
    if (standIn === undefined) return ask();
    const look = (): Awaitable<T> => {
      this.remote.checkCacheUsable();
      return instead(standIn.find(this.path), standIn.op);
    };
    if (!this.remote.connected) {
      const { host } = this.remote;
      // What is not kept is asked for at the next server, which may be there in a moment.
      if (host.patienceMs === 0) return look();
      return inPlaceOr(look, () => host.whenConnected().then(ask));
    }
    const asked = ask();
    if (!(asked instanceof Promise)) return asked;
    return asked.catch((thrown: unknown) => {
      if (this.remote.connected || FsError.from(thrown).code !== 'EHOSTDOWN') throw thrown;
      return look();
    });
  }

  protected abstract self(): RemoteNode;

  /** What is asked is not to be answered as of before what was written: waits for what is on its way, where there is any. */
  #written(request: FsMessageName, payload: object): Promise<unknown> | undefined {
    const { writes } = this.remote;
    const self = this.self();
    if (self.kind === 'file') return writes.of(self);
    if (request === 'readdirp') return writes.at(self, undefined);
    return 'name' in payload && typeof payload.name === 'string' ? writes.at(self, payload.name) : undefined;
  }

  async #findAgain(op: RequestOp): Promise<number> {
    if (this.parent === undefined) return ROOT_NODE;
    const directory = await this.parent.number(op);
    const { payload, generation } = await this.remote
      .request('lookup', { node: directory }, { name: this.name }, op)
      .catch((thrown: unknown) => {
        throw FsError.from(thrown).code === 'ENOENT' ? this.#isGone(thrown) : thrown;
      });
    if (payload.kind !== this.kind) throw this.#isGone();
    this.numbered(payload.node, generation);
    this.remote.register(payload.node, this.ino, this.self(), {
      dir: this.parent,
      name: this.name,
      generation,
    });
    return payload.node;
  }

  /** The kernel walks the path again then, and is shown what is there now: what was kept no longer holds. */
  #isGone(cause?: unknown): FsError {
    this.touched();
    return new FsError('ESTALE', `${JSON.stringify(this.name)} is no longer what it was.`, { cause });
  }

  #statInPlace(node: Node, op: Op): Awaitable<Stat> {
    return chain(node.stat(op), (stat) => ({ ...stat, ino: this.ino }));
  }

  async #askStat(op: Op): Promise<Stat> {
    const { sequence } = this.remote;
    const { payload } = await this.ask('getattr', {}, op);
    const stat = statFromAttributes(payload, this.ino);
    this.remember(stat, sequence, op);
    return stat;
  }

  async #askAccess(mask: number, op: Op): Promise<void> {
    await this.ask('access', { mask }, op);
  }
}

/** What stands in; where that is not there either, what `ask` answers. */
function inPlaceOr<T>(look: () => Awaitable<T>, ask: () => Promise<T>): Awaitable<T> {
  const orAsk = (thrown: unknown): Promise<T> => {
    if (FsError.from(thrown).code !== 'EHOSTDOWN') throw thrown;
    return ask();
  };
  try {
    const shown = look();
    return shown instanceof Promise ? shown.catch(orAsk) : shown;
  } catch (thrown) {
    return orAsk(thrown);
  }
}
