import { ACHERON_FS_TYPE, inspectMount, readMountEntries, serverOf, type MountEntry } from '../fuse/index.js';
import { finding, type Finding } from './finding.js';
import { describeProcess } from './processes.js';

/** Each mount of ours, who serves it, and whether that answers. What is asked is asked by another process, for a bounded time. */
export function mounts(): Promise<Finding[]> {
  const entries = readMountEntries().filter(({ fsType }) => fsType === ACHERON_FS_TYPE);
  return Promise.all(entries.map(describeMount));
}

async function describeMount(entry: MountEntry): Promise<Finding> {
  const { mountPoint } = entry;
  const { state } = await inspectMount(entry);
  if (state === 'others') {
    const uid = entry.ownerUid === null ? '' : ` (uid ${entry.ownerUid})`;
    return finding('mount', 'fine', `${mountPoint} is mounted by another user${uid}.`);
  }
  const pid = serverOf(entry);
  const server = pid === null ? null : describeProcess(pid);
  if (state === 'mounted')
    return finding(
      'mount',
      'fine',
      `${mountPoint} is mounted and answers; it is served by ${server ?? 'a process unknown'}.`,
    );
  const silent = server === null ? 'its server' : `its server, ${server},`;
  return finding(
    'mount',
    'broken',
    `${mountPoint} is mounted, but ${state === 'dead' ? 'its server is gone' : `${silent} does not answer`}.`,
    `acheron unmount ${mountPoint}`,
  );
}
