import { EPROTO, Errno } from './errno.js';
import {
  FUSE_KERNEL_MINOR_VERSION,
  FUSE_KERNEL_VERSION,
  FUSE_OLDEST_MINOR_VERSION,
  INIT_FLAGS,
} from './constants.js';
import { fuse_init_in, fuse_init_out } from './structs.js';

/** What the kernel says in INIT. */
export interface InitIn {
  readonly major: number;
  readonly minor: number;
  readonly maxReadahead: number;
  /** `flags` and, above bit 32, `flags2`. */
  readonly flags: bigint;
}

/** What both sides hold to from INIT on. */
export interface NegotiatedInit {
  readonly minor: number;
  readonly maxReadahead: number;
  /** The largest data of one WRITE, and of one READ. */
  readonly maxWrite: number;
  readonly flags: bigint;
}

/** What the server can do. */
export interface Abilities {
  /** The bytes that one read of the device can take. */
  readonly bufferBytes: number;
  readonly readdirplus: boolean;
  /** As `Filesystem.alwaysPlus`. */
  readonly alwaysPlus: boolean;
  /** As `Filesystem.killsPrivileges`. */
  readonly killsPrivileges: boolean;
  /** Whether it keeps the locks; else the kernel does. */
  readonly locks: boolean;
  /** As `Filesystem.passesThrough`. */
  readonly passesThrough: boolean;
}

const F = INIT_FLAGS;

/** What is asked for where the kernel has it. */
const WANTED =
  F.FUSE_ASYNC_READ |
  F.FUSE_ATOMIC_O_TRUNC |
  F.FUSE_BIG_WRITES |
  F.FUSE_DONT_MASK |
  F.FUSE_AUTO_INVAL_DATA |
  F.FUSE_ASYNC_DIO |
  F.FUSE_PARALLEL_DIROPS |
  F.FUSE_MAX_PAGES |
  F.FUSE_INIT_EXT |
  F.FUSE_HAS_EXPIRE_ONLY;

/** A kernel that was promised READDIRPLUS does not fall back to READDIR where that is not there. */
const ALWAYS_PLUS = F.FUSE_DO_READDIRPLUS;
const READDIRPLUS = ALWAYS_PLUS | F.FUSE_READDIRPLUS_AUTO;

/** The second (7.33) spares the question for capabilities, the first the taking of set-id bits alone. */
const KILLPRIV = F.FUSE_HANDLE_KILLPRIV | F.FUSE_HANDLE_KILLPRIV_V2;

/** fcntl(2), flock(2). */
const LOCKS = F.FUSE_POSIX_LOCKS | F.FUSE_FLOCK_LOCKS;

const PAGE = 4096;
/** Linux' FUSE_MAX_MAX_PAGES, the ceiling of `max_pages` unless raised by sysctl. */
const MAX_PAGES = 256;
/** Where FUSE_MAX_PAGES is not agreed, requests carry this many pages at most. */
const DEFAULT_PAGES = 32;
/** How many asynchronous requests (readahead) may be under way, and from where on the kernel holds back. */
const MAX_BACKGROUND = 64;
const CONGESTION_THRESHOLD = 48;
/** Files that are passed through lie on plain filesystems: on none that is stacked itself. */
const MAX_STACK_DEPTH = 1;

/** @throws Errno EPROTO when the body is too short to be one. */
export function decodeInitIn(bytes: Buffer, start: number, end: number): InitIn {
  const at = fuse_init_in.at;
  if (end - start < at.flags2) throw Errno.of(EPROTO);
  const low = bytes.readUInt32LE(start + at.flags);
  const extended = (BigInt(low) & F.FUSE_INIT_EXT) !== 0n && end - start >= at.unused;
  const high = extended ? bytes.readUInt32LE(start + at.flags2) : 0;
  return {
    major: bytes.readUInt32LE(start + at.major),
    minor: bytes.readUInt32LE(start + at.minor),
    maxReadahead: bytes.readUInt32LE(start + at.max_readahead),
    flags: BigInt(low) | (BigInt(high) << 32n),
  };
}

/**
 * The agreement with a kernel that says `offer`; 'again' where it must first come down to our major.
 * @throws Errno EPROTO where it is older than 7.31.
 */
export function negotiate(offer: InitIn, { bufferBytes, ...can }: Abilities): NegotiatedInit | 'again' {
  if (offer.major > FUSE_KERNEL_VERSION) return 'again';
  if (offer.major < FUSE_KERNEL_VERSION || offer.minor < FUSE_OLDEST_MINOR_VERSION) throw Errno.of(EPROTO);
  const wanted =
    WANTED |
    (can.readdirplus ? (can.alwaysPlus ? ALWAYS_PLUS : READDIRPLUS) : 0n) |
    (can.killsPrivileges ? KILLPRIV : 0n) |
    (can.locks ? LOCKS : 0n) |
    (can.passesThrough ? F.FUSE_PASSTHROUGH : 0n);
  const flags = offer.flags & wanted;
  const pages = (flags & F.FUSE_MAX_PAGES) === 0n ? DEFAULT_PAGES : MAX_PAGES;
  const room = Math.floor((bufferBytes - HEADER_ROOM) / PAGE);
  return {
    minor: Math.min(offer.minor, FUSE_KERNEL_MINOR_VERSION),
    maxReadahead: offer.maxReadahead,
    maxWrite: Math.min(pages, room) * PAGE,
    flags,
  };
}

/** What a request may hold besides its data: FUSE_BUFFER_HEADER_SIZE of libfuse. */
export const HEADER_ROOM = PAGE;

export function putInitOut(out: DataView, agreed: NegotiatedInit | 'again', start: number): number {
  const at = fuse_init_out.at;
  const end = start + fuse_init_out.byteLength;
  for (let i = start; i < end; i++) out.setUint8(i, 0);
  out.setUint32(start + at.major, FUSE_KERNEL_VERSION, true);
  if (agreed === 'again') {
    out.setUint32(start + at.minor, FUSE_KERNEL_MINOR_VERSION, true);
    return end;
  }
  out.setUint32(start + at.minor, agreed.minor, true);
  out.setUint32(start + at.max_readahead, agreed.maxReadahead, true);
  out.setUint32(start + at.flags, Number(agreed.flags & 0xffffffffn), true);
  out.setUint16(start + at.max_background, MAX_BACKGROUND, true);
  out.setUint16(start + at.congestion_threshold, CONGESTION_THRESHOLD, true);
  out.setUint32(start + at.max_write, agreed.maxWrite, true);
  out.setUint32(start + at.time_gran, 1, true);
  out.setUint16(start + at.max_pages, agreed.maxWrite / PAGE, true);
  if ((agreed.flags & F.FUSE_INIT_EXT) !== 0n)
    out.setUint32(start + at.flags2, Number(agreed.flags >> 32n), true);
  if ((agreed.flags & F.FUSE_PASSTHROUGH) !== 0n)
    out.setUint32(start + at.max_stack_depth, MAX_STACK_DEPTH, true);
  return end;
}
