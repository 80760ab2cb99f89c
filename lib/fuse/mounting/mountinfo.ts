import { existsSync, readFileSync } from 'node:fs';

/** One line of /proc/self/mountinfo (proc(5)). */
export interface MountEntry {
  readonly id: number;
  /** `major:minor` of `st_dev`; for FUSE, the minor names the connection. */
  readonly device: string;
  readonly mountPoint: string;
  readonly fsType: string;
  readonly source: string;
  /** Whose mount it is: `user_id` of a FUSE mount, which the kernel takes from nobody but root; else null. */
  readonly ownerUid: number | null;
}

/** The file system type of our mounts, whichever binding made them. */
export const ACHERON_FS_TYPE = 'fuse.acheron';

const OCTAL = /^\\[0-7]{3}$/;
const unescaped = (field: string): string => {
  if (!field.includes('\\')) return field;
  // The kernel escapes bytes, so the whole is decoded as bytes.
  const bytes = field
    .split(/(\\[0-7]{3})/)
    .map((part) =>
      OCTAL.test(part) ? Buffer.from([Number.parseInt(part.slice(1), 8)]) : Buffer.from(part, 'utf8'),
    );
  return Buffer.concat(bytes).toString('utf8');
};

/** The mounts of a mountinfo text, in the order of mounting; lines that are not understood fall away. */
export function mountEntriesFrom(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    // Optional fields stand before a dash, what depends on the file system after it.
    const dash = fields.indexOf('-', 6);
    const [id, , device, , mountPoint] = fields;
    const [fsType, source, options = ''] = dash < 0 ? [] : fields.slice(dash + 1);
    if (device === undefined || mountPoint === undefined) continue;
    if (fsType === undefined || source === undefined) continue;
    entries.push({
      id: Number(id),
      device,
      mountPoint: unescaped(mountPoint),
      fsType: unescaped(fsType),
      source: unescaped(source),
      ownerUid: ownerFrom(options),
    });
  }
  return entries;
}

function ownerFrom(options: string): number | null {
  const found = /(?:^|,)user_id=(\d+)(?:,|$)/.exec(options);
  return found === null ? null : Number(found[1]);
}

/**
 * The mounts that this process sees. Reading the table touches no mount, so it cannot hang on a dead one.
 * Empty where there is no /proc (macOS).
 */
export function readMountEntries(): MountEntry[] {
  try {
    return mountEntriesFrom(readFileSync('/proc/self/mountinfo', 'utf8'));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}

/** What is mounted on `mountPoint`, the topmost where mounts are stacked. */
export function mountEntryAt(mountPoint: string, entries = readMountEntries()): MountEntry | undefined {
  return entries.findLast((entry) => entry.mountPoint === mountPoint);
}

/**
 * That very mount as the table has it now; undefined once it is gone. Renaming a directory above a
 * mount moves the mount along. The kernel gives ids and devices that are free again to the next mount, wherever
 * that is: it is the same one where the old directory is no longer there.
 */
export function findMount(entry: MountEntry, entries = readMountEntries()): MountEntry | undefined {
  const same = entries.filter(
    ({ device, id, fsType, source }) =>
      device === entry.device && id === entry.id && fsType === entry.fsType && source === entry.source,
  );
  const inPlace = same.find(({ mountPoint }) => mountPoint === entry.mountPoint);
  return inPlace ?? (existsSync(entry.mountPoint) ? undefined : same[0]);
}
