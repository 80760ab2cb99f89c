import fc from '../../support/properties.js';
import t from 'tap';
import {
  type Filesystem,
  Errno,
  deleteEntry,
  incEpoch,
  invalEntry,
  invalInode,
  structs as s,
} from '../../../lib/fuse/kernel/index.js';
import { INIT_FLAGS } from '../../../lib/fuse/kernel/constants.js';
import { ALL_FLAGS, connected, initBody, pack, parseReply, request, text } from './protocol-fixture.js';
import { ATTR, body, READ, recorder, REQUESTS } from './requests-fixture.js';

for (const [index, [name, payload, expected, length]] of REQUESTS.entries()) {
  t.test(`${name} is decoded and answered as the header says (request ${index})`, async (t) => {
    const { fs, asked, calls } = recorder();
    const { say } = connected(fs);
    const reply = say(
      request(name, payload, { unique: 0x1_0000_0002, nodeid: 9, uid: 11, gid: 12, pid: 13 }),
    );
    t.same(asked, [expected]);
    t.equal(reply?.error, 0);
    t.equal(reply?.unique, 0x1_0000_0002);
    t.equal(reply?.body.byteLength, length);
    for (const call of calls) t.match(call, { uid: 11, gid: 12, pid: 13, nodeid: 9 });
  });
}

t.test('an entry carries its timeouts and attributes where the header puts them', async (t) => {
  const { say } = connected(recorder().fs);
  const { body: out } = say(request('FUSE_LOOKUP', text('x')))!;
  const at = s.fuse_entry_out.at;
  t.equal(out.readBigUInt64LE(at.nodeid), 77n);
  t.equal(out.readBigUInt64LE(at.entry_valid), 1n);
  t.equal(out.readUInt32LE(at.entry_valid_nsec), 500_000_000);
  t.equal(out.readBigUInt64LE(at.attr_valid), 3600n);
  const attr = out.subarray(at.attr);
  const a = s.fuse_attr.at;
  t.equal(attr.readBigUInt64LE(a.ino), ATTR.ino);
  t.equal(attr.readBigUInt64LE(a.size), 5_000_000_000n);
  t.equal(attr.readBigUInt64LE(a.atime), 1_700_000_000n);
  t.equal(attr.readUInt32LE(a.atimensec), 123_456_789);
  t.equal(attr.readBigUInt64LE(a.ctime), 1_700_000_001n);
  t.equal(attr.readUInt32LE(a.ctimensec), 1);
  t.same(
    [a.mode, a.nlink, a.uid, a.gid].map((offset) => attr.readUInt32LE(offset)),
    [0o100644, 3, 1000, 1001],
  );
});

t.test('directory entries are packed to the size that was asked, and go on where they stopped', async (t) => {
  const { say } = connected(recorder().fs);
  const { body: out } = say(request('FUSE_READDIR', pack(s.fuse_read_in, { fh: 5n, offset: 2n, size: 70 })))!;
  const at = s.fuse_dirent.at;
  const entries = [0, 32].map((start) => {
    const length = out.readUInt32LE(start + at.namelen);
    return [
      Number(out.readBigUInt64LE(start + at.ino)),
      Number(out.readBigUInt64LE(start + at.off)),
      out.readUInt32LE(start + at.type),
      out.toString('utf8', start + s.fuse_dirent.byteLength, start + s.fuse_dirent.byteLength + length),
    ];
  });
  t.same(entries, [
    [12, 3, 8, 'näme2'],
    [13, 4, 8, 'näme3'],
  ]);
});

t.test('forgets are counted, in batches too, and never answered', async (t) => {
  const { fs, asked } = recorder();
  const { say, replies } = connected(fs);
  say(request('FUSE_FORGET', pack(s.fuse_forget_in, { nlookup: 3n }), { nodeid: 9 }));
  const ones = [1n, 2n].map((nodeid) => pack(s.fuse_forget_one, { nodeid, nlookup: 7n }));
  say(request('FUSE_BATCH_FORGET', body(pack(s.fuse_batch_forget_in, { count: 2 }), ...ones)));
  say(request('FUSE_BATCH_FORGET', body(pack(s.fuse_batch_forget_in, { count: 1000 }), ...ones)));
  t.same(asked, [
    ['forget', 9, 3],
    ['forget', 1, 7],
    ['forget', 2, 7],
    ['forget', 1, 7],
    ['forget', 2, 7],
  ]);
  t.same(replies, []);
});

t.test('what is not offered, and what is not known, answers ENOSYS', async (t) => {
  const { say } = connected({});
  for (const [name, payload] of REQUESTS) {
    const expected = name === 'FUSE_MKNOD' ? -1 : name.startsWith('FUSE_RELEASE') ? 0 : -38;
    t.equal(say(request(name, payload))!.error, expected, name);
  }
  for (const opcode of [31, 37, 39, 40, 47, 50, 51, 52, 53, 999])
    t.equal(say(request(opcode, Buffer.alloc(64)))!.error, -38, String(opcode));
});

t.test(
  'a handler refuses by throwing or returning an Errno, at once or later; anything else is EIO',
  async (t) => {
    const boom = new Error('boom');
    const ways: [() => unknown, number][] = [
      [() => Errno.of(13), -13],
      [
        () => {
          throw Errno.of(13);
        },
        -13,
      ],
      [async () => Errno.of(13), -13],
      [
        async () => {
          throw Errno.of(13);
        },
        -13,
      ],
      [
        () => {
          throw boom;
        },
        -5,
      ],
      [
        async () => {
          throw boom;
        },
        -5,
      ],
      [() => ({ nodeid: 'rubbish' }), -5],
    ];
    for (const [lookup, expected] of ways) {
      const { session, say, replies } = connected({ lookup } as unknown as Filesystem);
      say(request('FUSE_LOOKUP', text('x')));
      while (session.pending > 0 || replies.length === 0) await new Promise(setImmediate);
      t.equal(replies[0]!.error, expected);
    }
    t.throws(() => Errno.of(0), RangeError);
  },
);

t.test('a truncated request is refused, whatever is missing, and never reaches a handler half', async (t) => {
  for (const [name, payload] of REQUESTS) {
    const whole = request(name, payload);
    for (let length = 0; length < whole.byteLength; length++) {
      const cut = Buffer.from(whole.subarray(0, length));
      const { fs } = recorder();
      const { say, replies } = connected(fs);
      say(cut); // the length in the header says more than came
      if (replies.some((reply) => reply.error >= 0)) t.fail(`${name} cut to ${length}`);
      if (length < s.fuse_in_header.byteLength) continue;
      cut.writeUInt32LE(length, s.fuse_in_header.at.len);
      say(cut); // the header agrees that nothing more comes
      if (replies.length !== 2) t.fail(`${name} of ${length} bytes is not answered`);
    }
  }
});

t.test('no bytes, however malformed, take the session down or are answered twice', async () => {
  const anything = fc.record({
    opcode: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.nat(0xffffffff)),
    payload: fc.uint8Array({ maxLength: 160 }),
    extension: fc.nat(0xffff),
  });
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 20 }), (messages) => {
      const { fs } = recorder();
      const { say, replies } = connected(fs);
      messages.forEach(({ opcode, payload, extension }, index) => {
        const bytes = request(opcode, Buffer.from(payload), { unique: 2 * index + 2 });
        if (extension % 3 === 0) bytes.writeUInt16LE(extension, s.fuse_in_header.at.total_extlen);
        say(bytes);
      });
      return new Set(replies.map((reply) => reply.unique)).size === replies.length;
    }),
    { numRuns: 300 },
  );
});

t.test('a byte of a name that is not UTF-8 is a lone surrogate, both ways', async (t) => {
  const { fs, asked } = recorder();
  fs.readlink = () => 'ä\udcff';
  fs.readdir = (_nodeid, _fh, _offset, list) => {
    list.add('a\udc80', 1n, 8, 1);
    list.add(`${'n'.repeat(30)}\udcff`, 1n, 8, 2);
  };
  const { say } = connected(fs);
  t.equal(say(request('FUSE_LOOKUP', Buffer.from([0x61, 0xff, 0])))!.error, 0);
  t.equal(say(request('FUSE_LOOKUP', text('a\ufffd')))!.error, 0);
  t.same(asked, [
    ['lookup', 1, 'a\udcff'],
    ['lookup', 1, 'a\ufffd'],
  ]);
  t.same(say(request('FUSE_READLINK', body()))!.body, Buffer.from([0xc3, 0xa4, 0xff]));
  const listed = say(request('FUSE_READDIR', pack(s.fuse_read_in, { size: 4096 })))!.body;
  const at = s.fuse_dirent;
  t.same(listed.subarray(at.byteLength, at.byteLength + 3), Buffer.from([0x61, 0x80, 0]));
  const second = listed.subarray(32 + at.byteLength);
  t.equal(listed.readUInt32LE(32 + at.at.namelen), 31);
  t.equal(second[30], 0xff);
});

t.test('an answer that the kernel did not take is undone', async (t) => {
  const { fs, asked } = recorder();
  const { say, state } = connected(fs);
  for (const name of [
    'FUSE_LOOKUP',
    'FUSE_OPEN',
    'FUSE_CREATE',
    'FUSE_OPENDIR',
    'FUSE_READDIRPLUS',
  ] as const) {
    state.refusals = 1;
    say(request(name, REQUESTS.find(([other]) => other === name)![1], { nodeid: 9 }));
  }
  t.same(
    asked.filter(([name]) => /forget|release/.test(name as string)),
    [
      ['forget', 77, 1],
      ['release', 9, 5],
      ['release', 77, 5],
      ['forget', 77, 1],
      ['releasedir', 9, 5],
      ['forget', 77, 1],
    ],
  );
});

t.test('INIT agrees with every minor from 7.31 to the newest and beyond', async (t) => {
  for (let minor = 31; minor <= 60; minor++) {
    const { session, say } = connected({}, { init: false });
    const { error, body: out } = say(request('FUSE_INIT', initBody(minor, ALL_FLAGS)))!;
    t.equal(error, 0);
    const at = s.fuse_init_out.at;
    t.equal(out.byteLength, 64);
    t.equal(out.readUInt32LE(at.major), 7);
    t.equal(out.readUInt32LE(at.minor), Math.min(minor, 45));
    t.equal(out.readUInt32LE(at.max_write), 1024 * 1024);
    t.equal(out.readUInt16LE(at.max_pages), 256);
    const flags = BigInt(out.readUInt32LE(at.flags)) | (BigInt(out.readUInt32LE(at.flags2)) << 32n);
    t.equal(flags & ~ALL_FLAGS, 0n, 'nothing that the kernel does not have');
    t.equal((flags & INIT_FLAGS.FUSE_HAS_EXPIRE_ONLY) !== 0n, minor >= 36);
    t.equal(flags & INIT_FLAGS.FUSE_DO_READDIRPLUS, 0n, 'nor what the filesystem does not offer');
    t.match(session.agreed, { minor: Math.min(minor, 45), flags });
  }
});

t.test('INIT takes a bare kernel, waits for one of a newer major, refuses an older one', async (t) => {
  const bare = connected({}, { init: false });
  t.equal(
    bare.say(request('FUSE_INIT', initBody(31, 0n)))!.body.readUInt32LE(s.fuse_init_out.at.max_write),
    131072,
  );

  const newer = connected({}, { init: false });
  const first = newer.say(request('FUSE_INIT', initBody(3, ALL_FLAGS, 8)))!;
  t.equal(first.body.readUInt32LE(0), 7);
  t.equal(newer.session.agreed, undefined);
  t.equal(newer.say(request('FUSE_LOOKUP', text('x')))!.error, -5, 'nothing is served before an agreement');
  newer.say(request('FUSE_INIT', initBody(45, ALL_FLAGS)));
  t.match(newer.session.agreed, { minor: 45 });

  for (const [major, minor] of [
    [7, 30],
    [6, 99],
  ] as const) {
    const older = connected({}, { init: false });
    t.equal(older.say(request('FUSE_INIT', initBody(minor, 0n, major)))!.error, -71);
    t.equal(older.session.agreed, undefined);
  }
});

t.test('INTERRUPT abandons a pending call once its caller gives up, and not before', async (t) => {
  let givesUp = false;
  let signal: AbortSignal | undefined;
  const { session, say, replies } = connected(
    {
      read: (_nodeid, _fh, _offset, _size, call) => {
        signal = call.signal;
        return new Promise((_resolve, reject) => {
          call.signal.addEventListener('abort', () => reject(call.signal.reason as Error));
        });
      },
    },
    { givesUp: () => givesUp },
  );
  say(request('FUSE_READ', pack(s.fuse_read_in, READ), { unique: 40 }));
  say(request('FUSE_INTERRUPT', pack(s.fuse_interrupt_in, { unique: 40n }), { unique: 41 }));
  say(request('FUSE_INTERRUPT', pack(s.fuse_interrupt_in, { unique: 38n }), { unique: 39 }));
  t.equal(signal?.aborted, false);
  givesUp = true;
  while (replies.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  t.match(replies, [{ unique: 40, error: -125 }]);
  t.equal(session.pending, 0);
});

t.test('who waits for a lock is interrupted with EINTR by any signal', async (t) => {
  const { say, replies } = connected(
    {
      setlk: (_nodeid, _fh, _lock, _waits, call) =>
        new Promise((_resolve, reject) => {
          call.signal.addEventListener('abort', () => reject(call.signal.reason as Error));
        }),
    },
    { givesUp: () => false },
  );
  say(request('FUSE_SETLKW', REQUESTS.find(([name]) => name === 'FUSE_SETLKW')![1], { unique: 40 }));
  say(request('FUSE_INTERRUPT', pack(s.fuse_interrupt_in, { unique: 40n }), { unique: 41 }));
  while (replies.length === 0) await new Promise(setImmediate);
  t.match(replies, [{ unique: 40, error: -4 }]);
});

t.test('locks are asked for where the filesystem keeps them, and left to the kernel else', (t) => {
  const LOCKS = INIT_FLAGS.FUSE_POSIX_LOCKS | INIT_FLAGS.FUSE_FLOCK_LOCKS;
  const agreedFlags = (fs: Filesystem): bigint | undefined => {
    const { session, say } = connected(fs, { init: false });
    say(request('FUSE_INIT', initBody(45, LOCKS)));
    return session.agreed?.flags;
  };
  t.equal(agreedFlags(recorder().fs), LOCKS);
  t.equal(agreedFlags({}), 0n);
  t.end();
});

t.test(
  'an abandoned call that its handler keeps is answered for it; what comes late is undone',
  async (t) => {
    let finish!: (open: { fh: number; openFlags: number }) => void;
    const released: number[] = [];
    const { say, replies } = connected(
      {
        open: () => new Promise((resolve) => (finish = resolve)),
        release: (_nodeid, fh) => void released.push(fh),
      },
      { givesUp: () => true },
    );
    say(request('FUSE_OPEN', pack(s.fuse_open_in, {}), { unique: 40 }));
    say(request('FUSE_INTERRUPT', pack(s.fuse_interrupt_in, { unique: 40n }), { unique: 41 }));
    while (replies.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    finish({ fh: 8, openFlags: 0 });
    await new Promise(setImmediate);
    t.match(replies, [{ unique: 40, error: -125 }]);
    t.same(released, [8]);
  },
);

t.test('the end abandons what is pending and notifies the filesystem once', async (t) => {
  let destroyed = 0;
  const { session, say, replies } = connected({
    destroy: () => (destroyed += 1),
    read: (_nodeid, _fh, _offset, _size, call) =>
      new Promise((_resolve, reject) => {
        call.signal.addEventListener('abort', () => reject(call.signal.reason as Error));
      }),
  });
  say(request('FUSE_READ', pack(s.fuse_read_in, READ), { unique: 40 }));
  say(request('FUSE_DESTROY', undefined, { unique: 42 }));
  session.end();
  await new Promise(setImmediate);
  t.equal(destroyed, 1);
  t.same(
    replies.map(({ unique, error }) => [unique, error]),
    [
      [42, 0],
      [40, -125],
    ],
  );
});

t.test('notifications are laid out as the header says', async (t) => {
  const inode = parseReply(invalInode(9, 'attr'));
  t.match(inode, { error: 2, unique: 0 });
  t.equal(inode.body.readBigInt64LE(s.fuse_notify_inval_inode_out.at.off), -1n);
  t.equal(parseReply(invalInode(9, 'data')).body.readBigInt64LE(s.fuse_notify_inval_inode_out.at.off), 0n);
  const entry = parseReply(invalEntry(9, 'näme', true));
  t.match(entry, { error: 3, unique: 0 });
  t.equal(entry.body.readUInt32LE(s.fuse_notify_inval_entry_out.at.namelen), 5);
  t.equal(entry.body.readUInt32LE(s.fuse_notify_inval_entry_out.at.flags), 1);
  t.same(entry.body.subarray(16), text('näme'));
  const gone = parseReply(deleteEntry(9, 10, 'x'));
  t.equal(gone.error, 6);
  t.equal(gone.body.readBigUInt64LE(s.fuse_notify_delete_out.at.child), 10n);
  t.same(gone.body.subarray(24), text('x'));
  t.match(parseReply(incEpoch()), { error: 8, unique: 0 });
});
