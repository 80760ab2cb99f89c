/** The largest control frame, bytes of UTF-8. */
export const MAX_CONTROL_FRAME_BYTES = 1024 * 1024;

/** The most commas, colons and opening brackets of a frame to a control plane: parsing it takes a few milliseconds. */
export const MAX_CONTROL_FRAME_MARKS = 50_000;

/** The same of a frame on `/v2/fs`, where a directory of thousands of entries is one reply. */
export const MAX_FS_FRAME_MARKS = 300_000;

/** The largest frame on `/v2/fs`, text or binary: `MAX_DATA_BYTES` as base64, with room for its envelope. */
export const MAX_FS_FRAME_BYTES = 8 * 1024 * 1024;

/** The most file content that one frame on `/v2/fs` may carry. */
export const MAX_DATA_BYTES = 4 * 1024 * 1024;

/** The most that one read is answered with; a larger `count` gets this much, and asks again. */
export const MAX_READ_BYTES = 1024 * 1024;

/** What `t_version` is answered with unless the peer asks for less: the largest reply frame. */
export const DEFAULT_MSIZE = 2 * 1024 * 1024;

/** Below this, a reply could not even hold one directory entry. */
export const MIN_MSIZE = 4096;

/** The longest name of one directory entry, bytes of UTF-8. */
export const MAX_NAME_BYTES = 255;

/** The longest path or symlink target, bytes of UTF-8. */
export const MAX_PATH_BYTES = 4096;

/** The longest value of an extended attribute, bytes (Linux XATTR_SIZE_MAX). */
export const MAX_XATTR_BYTES = 65_536;

/** The longest `type`, `id` and other short texts of an envelope, characters. */
export const MAX_TOKEN_CHARS = 256;
