import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../../core/index.js';
import { S_IFDIR, S_IFLNK, S_IFMT } from '../../linux/index.js';
import type { AcheronEnvelope } from '../envelope.js';
import { ROOT_NODE } from '../acheron/runtime-messages.js';
import { fileMessageOf, serviceOfExport, textOf } from './words.js';

/** A directory that their nodes do not have, and ours do: they offer exports side by side. */
const SERVICES = 2;
const FOLDERS = 3;
/** Their node numbers are shown behind those. */
const SHIFT = 8;
/** Tags of requests that are made here; those of others are counted up from 2. */
const FIRST_OWN_TAG = 0x7000_0000;
/** Handles of which it is known what they are of. */
const MAX_HANDLES = 65_536;

/** Where frames go: to the peer, and to who asks. */
export interface DialectEnds {
  readonly toPeer: (frame: AcheronEnvelope) => void;
  readonly toAsker: (frame: AcheronEnvelope) => void;
}

/**
 * Asks a node of the family for its files: our requests become theirs, and their answers ours. Their exports `svc-<id>` are
 * shown where our nodes have `services/<id>`, all others below `fs/`. Of the sessions on whose behalf it is asked such a node
 * learns nothing, so that whoever asks has to decide who may.
 */
export class NodeDialect {
  readonly #ends: DialectEnds;
  /** What is on its way, by tag: what its answer is made of. */
  readonly #asked = new Map<number, (answer: AcheronEnvelope) => AcheronEnvelope>();
  readonly #own = new Map<number, (answer: AcheronEnvelope) => void>();
  /** The node, theirs, that a handle is of. */
  readonly #handles = new Map<number, number>();
  #lastOwnTag = FIRST_OWN_TAG;

  constructor(ends: DialectEnds) {
    this.#ends = ends;
  }

  /** A frame of ours, as theirs; undefined where it is not for them. */
  sent(frame: AcheronEnvelope): AcheronEnvelope | undefined {
    const name = fileMessageOf(frame.type, 't');
    const { tag } = frame;
    if (name === undefined) return SAID_TO_THEM.has(frame.type) ? frame : undefined;
    if (tag === undefined) return undefined;
    if (name === 'cancel' || name === 'forget') {
      this.#answer(tag, name, { found: false });
      return undefined;
    }
    const payload = (frame.payload ?? {}) as JsonObject;
    if (frame.h === undefined && frame.node !== undefined && frame.node < SHIFT) {
      this.#askPlace({ ...frame, tag }, name, payload);
      return undefined;
    }
    const change = REQUESTS[name];
    const handle = frame.h;
    const isPlace = frame.node === undefined || frame.node < SHIFT;
    const isOfHandle = isPlace && (name === 'getattr' || name === 'truncate');
    // They know attributes of nodes alone.
    const ofHandle = isOfHandle ? this.#handles.get(handle ?? -1) : undefined;
    const node = isPlace ? ofHandle : (frame.node ?? 0) - SHIFT;
    const theirs: AcheronEnvelope = {
      channel: 'acheron',
      type: frame.type,
      tag,
      ...(node === undefined ? {} : { node }),
      ...(handle === undefined ? {} : { h: handle }),
      payload: change === undefined ? payload : change(payload, node ?? 0),
    };
    const asked = numberOf(payload, 'count');
    const answer = ANSWERS[name] ?? ((given: JsonObject) => given);
    this.#asked.set(tag, (frame) => {
      if (isRefusal(frame)) {
        const instead = isUnknown(frame) ? WHERE_UNKNOWN[name] : undefined;
        if (instead === undefined) return frame;
        return { channel: 'acheron', type: `acheron.r_fs_${name}`, tag, ok: true, payload: instead };
      }
      const given = (frame.payload ?? {}) as JsonObject;
      if (name === 'open' || name === 'create') this.#opened(given, node);
      if (name === 'close' && handle !== undefined) this.#handles.delete(handle);
      return { ...frame, payload: answer(given, { asked, payload }) };
    });
    return theirs;
  }

  /** A frame of theirs, as ours; undefined where nobody here waits for it. */
  received(frame: AcheronEnvelope): AcheronEnvelope | undefined {
    const { tag } = frame;
    const payload = (frame.payload ?? {}) as JsonObject;
    if (frame.type.startsWith('acheron.e_')) {
      const change = EVENTS[frame.type];
      return change === undefined ? undefined : { ...frame, payload: change(payload) };
    }
    // Whether we are there: it says hello again.
    if (frame.type === 'acheron.t_fs_hello') {
      this.#ends.toPeer({
        ...{ channel: 'acheron', type: 'acheron.r_fs_hello', ok: true, payload: { ...payload, caps: {} } },
        ...(tag === undefined ? {} : { tag }),
      });
      return undefined;
    }
    if (frame.type.startsWith('acheron.t_') || tag === undefined) return undefined;
    const own = this.#own.get(tag);
    if (own !== undefined) {
      this.#own.delete(tag);
      own(frame);
      return undefined;
    }
    const asked = this.#asked.get(tag);
    this.#asked.delete(tag);
    return asked === undefined ? frame : asked(frame);
  }

  #opened(payload: JsonObject, node: number | undefined): void {
    const handle = ownValue(payload, 'h');
    const made = ownValue(objectOf(payload, 'attr'), 'id');
    const of = typeof made === 'number' ? made : node;
    if (typeof handle !== 'number' || of === undefined) return;
    if (this.#handles.size >= MAX_HANDLES) this.#handles.clear();
    this.#handles.set(handle, of);
  }

  /** What is asked of a directory that is made here. */
  #askPlace(frame: AcheronEnvelope & { readonly tag: number }, name: string, payload: JsonObject): void {
    const { tag, node: place = ROOT_NODE } = frame;
    const wanted = textOf(payload, 'name');
    const answer = (given: JsonObject): void => this.#answer(tag, name, given);
    const refuse = (errno: number, message: string): void => {
      this.#ends.toAsker({
        ...{ channel: 'acheron', type: 'acheron.err_fs', tag, ok: false },
        error: { errno, message },
      });
    };
    const absent = (): void => refuse(2, 'The node offers nothing of that name.');
    // Its answer, not ours, says that it is there.
    this.#ask('exports', {}, (reply) => {
      if (isRefusal(reply)) return this.#ends.toAsker({ ...reply, tag });
      const exports = exportsIn((reply.payload ?? {}) as JsonObject, place);
      switch (name) {
        case 'getattr':
          return answer(placeAttributes(place));
        case 'access':
        case 'fsync':
          return answer({});
        case 'listxattr':
          return answer({ names: [] });
        case 'getxattr':
          return refuse(61, 'There is no such attribute.');
        case 'readdirp': {
          const entries =
            place === ROOT_NODE
              ? [...PLACES].map(([called, number]) => ({ name: called, ...placeAttributes(number) }))
              : [...exports.keys()].map((called) => ({ name: called, kind: 'dir' }));
          return answer({ entries, next: entries.length, eof: true, dir: 'live' });
        }
        case 'lookup': {
          const known = place === ROOT_NODE ? PLACES.get(wanted) : undefined;
          if (known !== undefined) return answer({ name: wanted, ...placeAttributes(known), dir: 'live' });
          const root = exports.get(wanted);
          if (root === undefined) return absent();
          return this.#ask('getattr', { node: root }, (found) => {
            if (isRefusal(found)) return this.#ends.toAsker({ ...found, tag });
            const attributes = nodeFrom(objectOf((found.payload ?? {}) as JsonObject, 'attr'), root);
            return answer({ name: wanted, ...attributes, dir: 'live' });
          });
        }
        default:
          return refuse(30, 'What the node offers is for itself to say.');
      }
    });
  }

  #ask(name: string, about: { readonly node?: number }, take: (answer: AcheronEnvelope) => void): void {
    const tag = ++this.#lastOwnTag;
    this.#own.set(tag, take);
    this.#ends.toPeer({ channel: 'acheron', type: `acheron.t_fs_${name}`, tag, ...about, payload: {} });
  }

  #answer(tag: number, name: string, payload: JsonObject): void {
    this.#ends.toAsker({ channel: 'acheron', type: `acheron.r_fs_${name}`, tag, ok: true, payload });
  }
}

/** What of us they know besides requests. */
const SAID_TO_THEM: ReadonlySet<string> = new Set([
  'acheron.r_fs_hello',
  'acheron.r_version',
  'acheron.err_fs',
  'acheron.error',
]);

const PLACES: ReadonlyMap<string, number> = new Map([
  ['services', SERVICES],
  ['fs', FOLDERS],
]);

/** Of the exports, those that are shown in that place, and where each begins. */
function exportsIn(payload: JsonObject, place: number): Map<string, number> {
  const found = new Map<string, number>();
  const exports = ownValue(payload, 'exports');
  for (const one of Array.isArray(exports) ? exports : []) {
    if (!isJsonObject(one)) continue;
    const { name, root } = one;
    if (typeof name !== 'string' || typeof root !== 'number' || !/^(?!\.{1,2}$)[^/\0]{1,255}$/.test(name))
      continue;
    const serviceId = serviceOfExport(name);
    if (place === (serviceId === undefined ? FOLDERS : SERVICES)) found.set(serviceId ?? name, root);
  }
  return found;
}

function placeAttributes(node: number): JsonObject {
  return {
    node,
    kind: 'dir',
    size: 0,
    mode: 'r',
    perm: 0o555,
    nlink: 2,
    ino: String(node),
    freshness: 'live',
  };
}

/** Our payload with their names beside, and `node`, theirs, that it is about. */
type Request = (payload: JsonObject, node: number) => JsonObject;

const FLAGS = new Map([
  ['r', 0],
  ['w', 1],
  ['rw', 2],
]);

function withFlags(payload: JsonObject): JsonObject {
  const { mode, flags, ...rest } = payload;
  return { ...rest, flags: flags ?? FLAGS.get(typeof mode === 'string' ? mode : 'r') ?? 0 };
}

/** Their `mode` is the permissions. */
function withPermissions({ perm, masked, ...rest }: JsonObject, otherwise: number): JsonObject {
  const bits = typeof perm === 'number' ? perm : otherwise;
  return { ...rest, mode: bits & ~(typeof masked === 'number' ? masked : 0) };
}

const REQUESTS: Readonly<Record<string, Request>> = {
  readdirp: ({ cookie, count }) => ({ cookie: cookie ?? 0, max: count ?? 256 }),
  open: ({ mode, flags }) =>
    withFlags({ ...(mode === undefined ? {} : { mode }), ...(flags === undefined ? {} : { flags }) }),
  create(payload) {
    const { flags = 0, ...rest } = withFlags(payload);
    return { ...withPermissions(rest, 0o644), flags };
  },
  mkdir: (payload) => withPermissions(payload, 0o755),
  read: ({ offset, count }) => ({ off: offset ?? 0, len: count ?? 0 }),
  write: ({ offset, data_b64: data }) => ({
    off: offset ?? 0,
    ...(data === undefined ? {} : { data_b64: data }),
  }),
  truncate: ({ size }) => ({ sz: size ?? 0 }),
  rename: ({ name, to_node: to, to_name: toName }, node) => ({
    ...{ old_parent: node, old_name: name ?? '', new_name: toName ?? '' },
    new_parent: numberFrom(to) - SHIFT,
  }),
};

/** The answers of a peer that does not know the request: there is nothing to be done, or nothing there. */
const WHERE_UNKNOWN: Readonly<Record<string, JsonObject>> = {
  flush: {},
  fsync: {},
  access: {},
  listxattr: { names: [] },
};

interface Asked {
  /** How many bytes or entries. */
  readonly asked: number;
  readonly payload: JsonObject;
}
type Answer = (payload: JsonObject, asked: Asked) => JsonObject;

const attributes: Answer = (payload) => nodeFrom(objectOf(payload, 'attr'), 0);

const ANSWERS: Readonly<Record<string, Answer>> = {
  lookup: (payload, { payload: request }) => ({
    ...{ name: ownValue(request, 'name') ?? '', dir: 'live' },
    ...nodeFrom(objectOf(payload, 'attr'), 0),
  }),
  getattr: attributes,
  setattr: attributes,
  truncate: attributes,
  mkdir: attributes,
  symlink: attributes,
  readdirp(payload) {
    const ents = ownValue(payload, 'ents');
    const next = numberOf(payload, 'next_cookie');
    const entries = (Array.isArray(ents) ? ents : []).flatMap((entry) =>
      isJsonObject(entry) ? entryFrom(entry) : [],
    );
    return { entries, next, eof: next === 0, dir: 'live' };
  },
  open: (payload, { payload: request }) => openedFrom(payload, request),
  create: (payload, { payload: request }) => {
    const { node = 0, ...attr } = nodeFrom(objectOf(payload, 'attr'), 0);
    return { ...openedFrom(payload, request), node, attr };
  },
  read(payload, { asked }) {
    const data = textOf(payload, 'data_b64');
    const length = Buffer.byteLength(data, 'base64');
    return { data_b64: data, eof: ownValue(payload, 'eof') === true || length < asked };
  },
  write: (payload) => ({ count: ownValue(payload, 'n') ?? 0 }),
  statfs(payload) {
    const count = (key: string): string => String(numberOf(payload, key));
    return {
      block_size: ownValue(payload, 'bsize') ?? 4096,
      blocks: count('blocks'),
      blocks_free: count('bfree'),
      blocks_available: count('bavail'),
      files: count('files'),
      files_free: count('ffree'),
      name_max: ownValue(payload, 'namemax') ?? 255,
    };
  },
};

const EVENTS: Readonly<Record<string, (payload: JsonObject) => JsonObject>> = {
  'acheron.e_fs_inval': ({ node, what }) => ({ node: numberFrom(node) + SHIFT, what: what ?? 'all' }),
  'acheron.e_fs_inval_dir': ({ dir }) => ({ dir: numberFrom(dir) + SHIFT }),
};

function openedFrom(payload: JsonObject, request: JsonObject): JsonObject {
  const { rd, wr } = objectOf(payload, 'caps');
  const flags = numberOf(withFlags(request), 'flags') & 3;
  const mode = `${(rd ?? flags !== 1) === true ? 'r' : ''}${(wr ?? flags !== 0) === true ? 'w' : ''}`;
  return { handle: ownValue(payload, 'h') ?? 0, mode: mode === '' ? 'r' : mode, direct: true };
}

function entryFrom(entry: JsonObject): JsonObject[] {
  const name = ownValue(entry, 'name');
  if (typeof name !== 'string' || name === '.' || name === '..') return [];
  const attr = ownValue(entry, 'attr');
  return [isJsonObject(attr) ? { name, ...nodeFrom(attr, 0) } : { name, kind: 'file' }];
}

/** Their attributes as ours. What is below a service may be another thing at each look, and they say nothing of that. */
function nodeFrom(attr: JsonObject, otherwise: number): JsonObject {
  const number = (key: string): number => numberOf(attr, key);
  const type = number('m') & S_IFMT;
  const { k } = attr;
  const kind = k === 2 || type === S_IFDIR ? 'dir' : k === 3 || type === S_IFLNK ? 'symlink' : 'file';
  const id = ownValue(attr, 'id') === undefined ? otherwise : number('id');
  const times = ['at', 'mt', 'ct'].map((key): [string, JsonValue] => [
    `${key[0] ?? ''}time_ns`,
    timeFrom(number(key)),
  ]);
  return {
    ...{ node: id + SHIFT, ino: String(id + SHIFT), kind, size: number('sz'), perm: number('m') & 0o7777 },
    ...{
      mode: (number('m') & 0o222) === 0 ? 'r' : 'rw',
      nlink: number('n'),
      uid: number('u'),
      gid: number('g'),
    },
    ...Object.fromEntries(times),
    freshness: kind === 'symlink' ? 'shared' : 'live',
  };
}

const timeFrom = (ns: number): string => String(BigInt(Number.isFinite(ns) ? Math.trunc(ns) : 0));

const isRefusal = ({ type }: AcheronEnvelope): boolean =>
  type === 'acheron.err_fs' || type === 'acheron.error';

/** ENOSYS or EOPNOTSUPP. */
const isUnknown = ({ error }: AcheronEnvelope): boolean => error?.['errno'] === 38 || error?.['errno'] === 95;

function objectOf(object: JsonObject, key: string): JsonObject {
  const value = ownValue(object, key);
  return isJsonObject(value) ? value : {};
}

const numberOf = (object: JsonObject, key: string): number => numberFrom(ownValue(object, key));

/** What is no number counts as none: to make one of it is left to nobody's `valueOf`. */
function numberFrom(value: JsonValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}
