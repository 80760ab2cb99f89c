import t from 'tap';
import { isMounted } from '../../lib/fuse/mounting/unmount.js';
import { findMount, mountEntriesFrom, mountEntryAt } from '../../lib/fuse/index.js';

const TEXT = [
  '22 27 0:21 / /proc rw,relatime - proc proc rw',
  '40 27 0:39 / /tmp/with\\040space\\012\\134ä rw,nosuid,nodev shared:7 master:1 - fuse.acheron acheron rw,user_id=0',
  '41 27 0:40 / /tmp/stacked rw - fuse.acheron one rw',
  '42 41 0:41 / /tmp/stacked rw - tmpfs two rw',
  'not a mount at all',
  '',
].join('\n');

t.test('mountinfo lines are read with their optional fields and escaped bytes', async (t) => {
  t.same(mountEntriesFrom(TEXT)[1], {
    id: 40,
    device: '0:39',
    mountPoint: '/tmp/with space\n\\ä',
    fsType: 'fuse.acheron',
    source: 'acheron',
    ownerUid: 0,
  });
  t.equal(mountEntriesFrom(TEXT).length, 4);
  t.equal(mountEntriesFrom(TEXT)[2]!.ownerUid, null, 'of what says none');
});

t.test('where mounts are stacked, the topmost counts', async (t) => {
  t.equal(mountEntryAt('/tmp/stacked', mountEntriesFrom(TEXT))?.source, 'two');
  t.equal(mountEntryAt('/tmp/elsewhere', mountEntriesFrom(TEXT)), undefined);
});

t.test(
  'a mount that was moved with its directory is found, and not mistaken for one that got its id later',
  async (t) => {
    const entry = mountEntryAt('/proc')!;
    t.ok(isMounted(entry));
    t.equal(findMount({ ...entry, mountPoint: '/not/there/any/more' })?.mountPoint, '/proc');
    t.equal(findMount({ ...entry, mountPoint: '/etc' }), undefined);
    t.equal(findMount({ ...entry, source: 'another' }), undefined);
  },
);
