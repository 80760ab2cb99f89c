import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import * as constants from '../../../lib/fuse/kernel/constants.js';
import { readU64, recordAlign, viewOf, writeU64 } from '../../../lib/fuse/kernel/layout.js';
import { structs } from '../../../lib/fuse/kernel/index.js';
import { lacks } from '../../support/shells.js';

const HEADER = '/usr/include/linux/fuse.h';

function lacksCompiler(): string | false {
  return lacks('gcc') || (existsSync(HEADER) ? false : `there is no ${HEADER}`);
}

/** What minors newer than some headers in use brought. */
const NEWER = new Map([
  ['fuse_in_header.total_extlen', 38],
  ['fuse_init_out.max_stack_depth', 40],
  ['fuse_init_out.request_timeout', 43],
  ['fuse_init_out.unused', 43],
  ['fuse_init_out.flags2', 36],
  ['fuse_init_in.flags2', 36],
  ['fuse_init_in.unused', 36],
  ['fuse_setxattr_in.setxattr_flags', 33],
  ['fuse_setxattr_in.padding', 33],
  ['fuse_notify_inval_entry_out.flags', 38],
  ['FUSE_SYNCFS', 34],
  ['FUSE_TMPFILE', 37],
  ['FUSE_STATX', 39],
  ['FUSE_COPY_FILE_RANGE_64', 45],
  ['FUSE_NOTIFY_INC_EPOCH', 44],
  ['FUSE_INIT_EXT', 36],
  ['FUSE_HAS_EXPIRE_ONLY', 38],
  ['FUSE_EXPIRE_ONLY', 38],
  ['FOPEN_PARALLEL_DIRECT_WRITES', 38],
  ['FOPEN_PASSTHROUGH', 40],
  ['FUSE_PASSTHROUGH', 40],
  ['FUSE_DEV_IOC_BACKING_OPEN', 40],
  ['FUSE_DEV_IOC_BACKING_CLOSE', 40],
  ['fuse_open_out.backing_id', 40],
  ['fuse_backing_map.fd', 40],
  ['fuse_backing_map.flags', 40],
  ['fuse_backing_map.padding', 40],
]);

t.test(
  'every struct and constant lies as a C compiler lays out linux/fuse.h',
  { skip: lacksCompiler() },
  (t) => {
    const minor = Number(/FUSE_KERNEL_MINOR_VERSION (\d+)/.exec(readFileSync(HEADER, 'utf8'))![1]);
    const known = (name: string): boolean => (NEWER.get(name) ?? 0) <= minor;
    const ours = new Map<string, bigint>();
    for (const struct of Object.values(structs)) {
      if (typeof struct === 'number') continue;
      const { name, byteLength, at } = struct;
      if (known(`${name}.${Object.keys(at).at(-1)!}`)) ours.set(`sizeof(struct ${name})`, BigInt(byteLength));
      for (const [field, offset] of Object.entries(at)) {
        if (known(`${name}.${field}`)) ours.set(`offsetof(struct ${name}, ${field})`, BigInt(offset));
      }
    }
    const { OPCODES, NOTIFY, INIT_FLAGS, ...single } = constants;
    const ownLimits = new Set(['FUSE_KERNEL_MINOR_VERSION', 'FUSE_OLDEST_MINOR_VERSION']);
    for (const [name, value] of Object.entries({ ...OPCODES, ...NOTIFY, ...INIT_FLAGS, ...single })) {
      if (known(name) && !ownLimits.has(name)) ours.set(name, BigInt(value));
    }
    const prints = [...ours.keys()]
      .map((key) => `printf("%llu\\n", (unsigned long long)(${key}));`)
      .join('\n');
    const dir = t.testdir({});
    writeFileSync(
      join(dir, 'layout.c'),
      `#include <stdio.h>\n#include <stddef.h>\n#include <linux/fuse.h>\nint main(void){${prints}return 0;}`,
    );
    execFileSync('gcc', ['-o', join(dir, 'layout'), join(dir, 'layout.c')]);
    const theirs = execFileSync(join(dir, 'layout'), { encoding: 'utf8' }).trim().split('\n').map(BigInt);
    t.same(Object.fromEntries([...ours.keys()].map((key, i) => [key, theirs[i]])), Object.fromEntries(ours));
    t.ok(ours.size > 300);
    t.end();
  },
);

t.test('whole numbers up to 2^53 survive as 64 bits', async (t) => {
  const bytes = Buffer.alloc(8);
  for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 12345, Number.MAX_SAFE_INTEGER]) {
    writeU64(viewOf(bytes), value, 0);
    t.equal(bytes.readBigUInt64LE(0), BigInt(value));
    t.equal(readU64(viewOf(bytes), 0), value);
  }
});

t.test('records are padded to eight bytes', async (t) => {
  t.same([0, 1, 7, 8, 9].map(recordAlign), [0, 8, 8, 8, 16]);
});
