const devices = new Map<number, bigint>();

/**
 * The inode number that a file of the host is shown with: bit 62, which keeps it apart from `newIno`
 * and fits signed 64-bit integers; 14 bits for the device, in the order in which this process met them;
 * 48 bits of the host's own number (folded where it is longer, as on some network filesystems).
 */
export function exportIno(dev: number, ino: bigint): bigint {
  let device = devices.get(dev);
  if (device === undefined) {
    device = (1n << 62n) | (BigInt(devices.size & 0x3fff) << 48n);
    devices.set(dev, device);
  }
  return device | (ino < LIMIT ? ino : (ino ^ (ino >> 48n)) & (LIMIT - 1n));
}

const LIMIT = 1n << 48n;
