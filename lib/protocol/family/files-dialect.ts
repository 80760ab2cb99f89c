import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../../core/index.js';
import { ERRNO, S_IFDIR, S_IFLNK, S_IFREG } from '../../linux/index.js';
import type { AcheronEnvelope } from '../envelope.js';
import { errnoFromCode } from '../protocol-codes.js';
import { exportOfService, fileMessageOf, NEWER_FILES_PROTOCOL, protocolMeant, textOf } from './words.js';

/**
 * The file messages as other programs of the family write them: the same requests, with other names for some fields. Requests
 * of theirs become ours, and our answers say both. `isFamilyHello` knows them by what they say of themselves.
 */
export class FilesDialect {
  /** Directories that are being listed, by the tag of the request, and what a lookup is in. */
  readonly #asked = new Map<number, { readonly node: number; readonly isFirst: boolean }>();
  /** In which directory a directory was found: the `..` of its listing. */
  readonly #parents = new Map<number, number>();
  #generation = 0;

  /** A request of theirs, as ours. */
  received(frame: AcheronEnvelope): AcheronEnvelope {
    const name = fileMessageOf(frame.type, 't');
    const change = name === undefined ? undefined : REQUESTS[name];
    const payload = (frame.payload ?? {}) as JsonObject;
    const { node } = frame;
    if (frame.tag !== undefined && node !== undefined && (name === 'readdirp' || name === 'lookup')) {
      if (this.#asked.size >= MAX_ASKED) this.#asked.clear();
      this.#asked.set(frame.tag, { node, isFirst: (ownValue(payload, 'cookie') ?? 0) === 0 });
    }
    return change === undefined ? frame : change(frame, payload);
  }

  /** An answer or event of ours, with their names beside. */
  sent(frame: AcheronEnvelope): AcheronEnvelope {
    if (frame.type === 'acheron.error') return asFileError(frame);
    const payload = frame.payload as JsonObject | undefined;
    if (frame.type.startsWith('acheron.e_')) this.#generation++;
    const name = fileMessageOf(frame.type, 'r') ?? frame.type.replace('acheron.', '');
    const asked = frame.tag === undefined ? undefined : this.#asked.get(frame.tag);
    if (frame.tag !== undefined) this.#asked.delete(frame.tag);
    const more = ANSWERS[name];
    if (payload === undefined || more === undefined) return frame;
    if (name === 'lookup') this.#found(asked?.node, payload);
    const dots = name === 'readdirp' && asked?.isFirst === true ? this.#dotsOf(asked.node) : [];
    return { ...frame, payload: { ...payload, ...more({ payload, dots, generation: this.#generation }) } };
  }

  #found(parent: number | undefined, { node, kind }: JsonObject): void {
    if (parent === undefined || typeof node !== 'number' || kind !== 'dir') return;
    if (this.#parents.size >= MAX_PARENTS) this.#parents.clear();
    this.#parents.set(node, parent);
  }

  /** `.` and `..`, which they list and we do not. */
  #dotsOf(node: number): JsonObject[] {
    return [
      { name: '.', attr: directoryAttr(node) },
      { name: '..', attr: directoryAttr(this.#parents.get(node) ?? node) },
    ];
  }
}

/** Requests of one peer that wait for their answer. */
const MAX_ASKED = 4096;
const MAX_PARENTS = 65_536;

/** Whether a hello is of a program of the family: no peer of ours says any of these. */
export function isFamilyHello(hello: JsonObject): boolean {
  const says = (key: string): boolean => Object.hasOwn(hello, key);
  return ['caps', 'node', 'subscribe_invalidations'].some(says) || isNewerHello(hello);
}

const isNewerHello = (hello: JsonObject): boolean => protocolMeant(ownValue(hello, 'protocol')) !== undefined;

/** A hello with the protocol by the name that we know it by. */
export function ownHello(frame: AcheronEnvelope): AcheronEnvelope {
  const hello = (frame.payload ?? {}) as JsonObject;
  const protocol = protocolMeant(ownValue(hello, 'protocol'));
  return protocol === undefined ? frame : { ...frame, payload: { ...hello, protocol } };
}

/** What the answer to a hello says in other words than we do. */
export function helloAnswered(frame: AcheronEnvelope): { readonly protocol?: string } {
  return isNewerHello((frame.payload ?? {}) as JsonObject) ? { protocol: NEWER_FILES_PROTOCOL } : {};
}

type Change = (frame: AcheronEnvelope, payload: JsonObject) => AcheronEnvelope;

/** The same payload with other names for fields; a field that has our name too keeps that. */
const renamed =
  (names: Readonly<Record<string, string>>, more: JsonObject = {}): Change =>
  (frame, payload) => {
    const ours: Record<string, JsonValue> = { ...more };
    for (const [key, value] of Object.entries(payload)) {
      const name = Object.hasOwn(names, key) ? (names[key] ?? key) : key;
      if (name === key || !Object.hasOwn(payload, name)) ours[name] = value;
    }
    return { ...frame, payload: ours };
  };

const REQUESTS: Readonly<Record<string, Change>> = {
  readdirp: renamed({ max: 'count' }, { plus: true }),
  read: renamed({ off: 'offset', len: 'count' }),
  write: renamed({ off: 'offset' }),
  truncate: renamed({ sz: 'size' }),
  create: withPermissions,
  mkdir: withPermissions,
  rename(frame, payload) {
    const parent = ownValue(payload, 'old_parent');
    const moved = renamed({ old_name: 'name', new_parent: 'to_node', new_name: 'to_name' })(frame, payload);
    return Number.isSafeInteger(parent) && (parent as number) >= 0
      ? { ...moved, node: frame.node ?? (parent as number) }
      : moved;
  },
};

/** Their `mode` is that of stat(2), of which the permissions count; ours is a word. */
function withPermissions(frame: AcheronEnvelope, payload: JsonObject): AcheronEnvelope {
  const { mode, ...rest } = payload;
  return typeof mode === 'number' ? { ...frame, payload: { ...rest, perm: mode & 0o7777 } } : frame;
}

interface Answer {
  readonly payload: JsonObject;
  readonly dots: readonly JsonObject[];
  /** Counts the events that this peer was sent. */
  readonly generation: number;
}

const withAttr = ({ payload }: Answer): JsonObject => ({ attr: attrOf(payload) });

const ANSWERS: Readonly<Record<string, (answer: Answer) => JsonObject>> = {
  hello: ({ payload }) => {
    const { capabilities } = payload;
    return {
      caps: isJsonObject(capabilities) ? capabilities : {},
      node: { name: 'acheron', os: process.platform, ver: '2' },
    };
  },
  exports: ({ payload }) => ({ exports: exportsOf(payload) }),
  lookup: withAttr,
  getattr: withAttr,
  setattr: withAttr,
  truncate: withAttr,
  mkdir: withAttr,
  symlink: withAttr,
  readdirp: ({ payload, dots, generation }) => ({
    ents: [...dots, ...(payload['entries'] as readonly JsonObject[]).map(entryOf)],
    next_cookie: payload['eof'] === true ? 0 : (payload['next'] ?? 0),
    dir_gen: generation,
  }),
  open: openedAs,
  create: (answer) => ({
    ...openedAs(answer),
    attr: attrOf({ ...(answer.payload['attr'] as JsonObject), node: answer.payload['node'] ?? 0 }),
  }),
  write: ({ payload }) => ({ n: payload['count'] ?? 0 }),
  statfs: ({ payload }) => {
    const number = (key: string): number => Number(payload[key] ?? 0);
    return {
      bsize: number('block_size'),
      frsize: number('block_size'),
      blocks: number('blocks'),
      bfree: number('blocks_free'),
      bavail: number('blocks_available'),
      files: number('files'),
      ffree: number('files_free'),
      favail: number('files_free'),
      namemax: number('name_max'),
    };
  },
  e_fs_inval: ({ generation }) => ({ gen: generation }),
  e_fs_inval_dir: ({ generation }) => ({ dir_gen: generation }),
};

function openedAs({ payload }: Answer): JsonObject {
  const mode = textOf(payload, 'mode');
  return { h: payload['handle'] ?? 0, caps: { rd: mode.includes('r'), wr: mode.includes('w') }, gen: 0 };
}

/** The number in `k`, and the type in the mode. */
const KINDS = {
  file: { k: 1, type: S_IFREG },
  dir: { k: 2, type: S_IFDIR },
  symlink: { k: 3, type: S_IFLNK },
} as const;

/** `attr`, with times in nanoseconds as JSON numbers, which hold 53 bits of them. */
function attrOf(ours: JsonObject): JsonObject {
  const kind = ours['kind'] as keyof typeof KINDS;
  const number = (key: string, otherwise = 0): number => Number(ours[key] ?? otherwise);
  return {
    id: number('node'),
    k: KINDS[kind].k,
    m: KINDS[kind].type | number('perm', kind === 'dir' ? 0o755 : 0o644),
    n: number('nlink', 1),
    u: number('uid'),
    g: number('gid'),
    sz: number('size'),
    at: number('atime_ns'),
    mt: number('mtime_ns'),
    ct: number('ctime_ns'),
    gen: 0,
  };
}

const directoryAttr = (node: number): JsonObject => attrOf({ node, kind: 'dir', nlink: 2 });

/** Without attributes where they are other ones at each look: they are asked for then. */
function entryOf(ours: JsonObject): JsonObject {
  const name = ours['name'] ?? '';
  return ours['size'] === undefined ? { name } : { name, attr: attrOf(ours) };
}

/** Each under a name that is one path component; where two would be the same, the later ones keep the long one. */
function exportsOf(payload: JsonObject): JsonObject[] {
  const taken = new Set<string>();
  return (payload['exports'] as readonly JsonObject[]).map((ours) => {
    const short = shortName(ours);
    const name = taken.has(short) ? textOf(ours, 'name') : short;
    taken.add(name);
    const can = new Set(ours['caps'] as readonly string[]);
    return {
      ...ours,
      name,
      caps: {
        read: can.has('read'),
        write: can.has('write'),
        invoke: can.has('invoke'),
        native_watch: true,
        case_sensitive: true,
      },
    };
  });
}

function shortName(ours: JsonObject): string {
  const name = textOf(ours, 'name');
  const last = name.slice(name.lastIndexOf('/') + 1);
  if (ours['source_kind'] === 'service') return exportOfService(last);
  return last === '' ? 'root' : last;
}

/** The refusal of a hello, as nodes of theirs read it: by this text they know that they have to pair anew. */
export function asRefusedHello(frame: AcheronEnvelope): AcheronEnvelope {
  const isOfProof = frame.error?.['code'] === 'provider_auth_failed';
  return isOfProof ? { ...frame, payload: { reason: 'NodeAuthFailed' } } : frame;
}

/** They read an error of the files alone. */
function asFileError(frame: AcheronEnvelope): AcheronEnvelope {
  const code = frame.error === undefined ? undefined : frame.error['code'];
  const errno = ERRNO[errnoFromCode(String(code))];
  return { ...frame, type: 'acheron.err_fs', error: { ...frame.error, errno } };
}
