import {
  type Filesystem,
  OPCODES,
  type OpcodeName,
  KernelConnection,
  structs,
} from '../../../lib/fuse/kernel/index.js';
import { INIT_FLAGS } from '../../../lib/fuse/kernel/constants.js';

/** A request as the kernel would send it. */
export function request(
  opcode: OpcodeName | number,
  body: Buffer = Buffer.alloc(0),
  header: { unique?: number; nodeid?: number; uid?: number; gid?: number; pid?: number } = {},
): Buffer {
  const { at, byteLength } = structs.fuse_in_header;
  const bytes = Buffer.alloc(byteLength + body.byteLength);
  bytes.writeUInt32LE(bytes.byteLength, at.len);
  bytes.writeUInt32LE(typeof opcode === 'number' ? opcode : OPCODES[opcode], at.opcode);
  bytes.writeBigUInt64LE(BigInt(header.unique ?? 2), at.unique);
  bytes.writeBigUInt64LE(BigInt(header.nodeid ?? 1), at.nodeid);
  bytes.writeUInt32LE(header.uid ?? 0, at.uid);
  bytes.writeUInt32LE(header.gid ?? 0, at.gid);
  bytes.writeUInt32LE(header.pid ?? 0, at.pid);
  body.copy(bytes, byteLength);
  return bytes;
}

interface AnyStruct {
  readonly byteLength: number;
  readonly at: Readonly<Record<string, number>>;
}

/** A struct with the values given (numbers are 32 bits wide, bigints 64); zeros elsewhere. */
export function pack(struct: AnyStruct, values: Readonly<Record<string, number | bigint>>): Buffer {
  const bytes = Buffer.alloc(struct.byteLength);
  for (const [field, value] of Object.entries(values)) {
    if (typeof value === 'bigint') bytes.writeBigInt64LE(BigInt.asIntN(64, value), struct.at[field]);
    else bytes.writeUInt32LE(value, struct.at[field]);
  }
  return bytes;
}

export const text = (value: string): Buffer => Buffer.from(`${value}\0`);

export interface Reply {
  readonly error: number;
  readonly unique: number;
  readonly body: Buffer;
}

export function parseReply(bytes: Buffer): Reply {
  const { at, byteLength } = structs.fuse_out_header;
  if (bytes.readUInt32LE(at.len) !== bytes.byteLength) throw new Error('a reply of the wrong length');
  return {
    error: bytes.readInt32LE(at.error),
    unique: Number(bytes.readBigUInt64LE(at.unique)),
    body: bytes.subarray(byteLength),
  };
}

export function initBody(minor: number, flags: bigint, major = 7): Buffer {
  const body = pack(structs.fuse_init_in, {
    major,
    minor,
    max_readahead: 131072,
    flags: Number(flags & 0xffffffffn),
    flags2: Number(flags >> 32n),
  });
  return minor < 36 ? body.subarray(0, structs.fuse_init_in.at.flags2) : body;
}

export const ALL_FLAGS = Object.values(INIT_FLAGS).reduce((set, flag) => set | flag, 0n);

/** A session that talks to an array. `refusals`: how many sends shall fail as the kernel's ENOENT does. */
export function connected(fs: Filesystem, options: { init?: boolean; givesUp?: () => boolean } = {}) {
  const replies: Reply[] = [];
  const faults: unknown[] = [];
  const state = { refusals: 0 };
  const session = new KernelConnection(
    fs,
    {
      send(bytes, length, payload) {
        if (state.refusals > 0) {
          state.refusals -= 1;
          return false;
        }
        replies.push(parseReply(Buffer.concat([bytes.subarray(0, length), payload ?? Buffer.alloc(0)])));
        return true;
      },
    },
    {
      bufferBytes: 1024 * 1024 + 4096,
      onFault: (fault) => void faults.push(fault),
      ...(options.givesUp === undefined ? {} : { givesUp: options.givesUp }),
    },
  );
  const say = (bytes: Buffer): Reply | undefined => {
    session.dispatch(bytes, bytes.byteLength);
    return replies.at(-1);
  };
  if (options.init !== false) {
    say(request('FUSE_INIT', initBody(45, ALL_FLAGS)));
    replies.length = 0;
  }
  return { session, say, replies, faults, state };
}
