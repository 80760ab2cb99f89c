let next = 1n << 32n;

/**
 * A new inode number, never used before in this process. Numbers start above 2^32, so they cannot meet
 * the kernel's root (1) or look like those of an export, which has a space of its own (`exportIno`).
 */
export function newIno(): bigint {
  return next++;
}
