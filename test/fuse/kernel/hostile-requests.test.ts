import fc from '../../support/properties.js';
import t from 'tap';
import { OPCODES, structs as s } from '../../../lib/fuse/kernel/index.js';
import { INIT_FLAGS } from '../../../lib/fuse/kernel/constants.js';
import { connected, initBody, request, type Reply } from './protocol-fixture.js';
import { recorder, REQUESTS } from './requests-fixture.js';

/** What stands in a field that means to do harm: nothing, one, and the ends of each way to count. */
const EXTREMES = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const PAGE = 4096;

/** Says `bytes` to a session of its own, then something plain, and gives the reply to the first. */
function replyTo(bytes: Buffer): { replies: Reply[]; goesOn: boolean } {
  const { fs } = recorder();
  const { say, replies } = connected(fs);
  say(bytes);
  const first = replies.splice(0);
  return { replies: first, goesOn: say(request('FUSE_STATFS', undefined, { unique: 98 }))?.error === 0 };
}

/** One answer: done, with a body, or refused, with an errno and nothing else. */
function isSound({ error, body }: Reply): boolean {
  return error === 0 || (error < 0 && error > -1000 && body.byteLength === 0);
}

for (const [index, [name, payload]] of REQUESTS.entries())
  t.test(`${name} with any field at its worst is answered once (request ${index})`, async (t) => {
    const bodies: Buffer[] = [];
    for (let at = 0; at + 4 <= payload.byteLength; at += 4)
      for (const value of EXTREMES) {
        const mutated = Buffer.from(payload);
        mutated.writeUInt32LE(value, at);
        bodies.push(mutated);
        if (at + 8 > payload.byteLength) continue;
        const wide = Buffer.from(mutated);
        wide.writeUInt32LE(value, at + 4);
        bodies.push(wide);
      }
    for (const garbage of ['x', '\0', 'name\0', 'x'.repeat(70_000)])
      bodies.push(Buffer.concat([payload, Buffer.from(garbage)]));
    bodies.push(Buffer.from(payload.map((byte) => (byte === 0 ? 1 : byte)))); // no string ends
    for (const mutated of bodies) {
      const { replies, goesOn } = replyTo(request(name, mutated, { nodeid: 9 }));
      if (replies.length === 1 && isSound(replies[0]!) && goesOn) continue;
      t.fail(mutated.subarray(0, 100).toString('hex'), { replies, goesOn });
    }
    t.ok(bodies.length > 4);
  });

t.test('a header with any field at its worst takes nothing down', async (t) => {
  const [name, payload] = REQUESTS[0]!;
  for (const [field, at] of Object.entries(s.fuse_in_header.at))
    for (const value of EXTREMES) {
      const bytes = request(name, payload);
      bytes.writeUInt32LE(value, Math.min(at, bytes.byteLength - 4));
      const { replies, goesOn } = replyTo(bytes);
      t.ok(replies.length <= 1 && replies.every(isSound) && goesOn, `${field}: ${value}`);
    }
});

t.test('each opcode that is not served answers ENOSYS, and those that take no answer get none', async (t) => {
  const served = new Set<number>(REQUESTS.map(([name]) => OPCODES[name]));
  const own = new Set<number>([OPCODES.FUSE_INIT, OPCODES.FUSE_DESTROY]);
  const silent = new Set<number>([
    OPCODES.FUSE_FORGET,
    OPCODES.FUSE_BATCH_FORGET,
    OPCODES.FUSE_INTERRUPT,
    OPCODES.FUSE_NOTIFY_REPLY,
  ]);
  for (const opcode of [...Array(80).keys(), 4096, 0xffff_ffff]) {
    if (served.has(opcode) || own.has(opcode)) continue;
    const { replies } = replyTo(request(opcode, Buffer.alloc(128)));
    t.same(
      replies.map(({ error }) => error),
      silent.has(opcode) ? [] : [-38],
      `opcode ${opcode}`,
    );
  }
});

t.test('whatever INIT offers, what is agreed was offered, and holds together', async () => {
  const offer = fc.record({
    major: fc.oneof({ weight: 4, arbitrary: fc.constant(7) }, fc.nat(12), fc.nat(0xffff_ffff)),
    minor: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 25, max: 60 }) }, fc.nat(0xffff_ffff)),
    flags: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    length: fc.oneof({ weight: 4, arbitrary: fc.constant(64) }, fc.nat(80)),
    readdirplus: fc.boolean(),
    alwaysPlus: fc.boolean(),
  });
  fc.assert(
    fc.property(offer, ({ major, minor, flags, length, readdirplus, alwaysPlus }) => {
      const { fs } = recorder();
      Object.assign(fs, { alwaysPlus });
      if (!readdirplus) delete fs.readdirplus;
      const { session, say } = connected(fs, { init: false });
      const whole = Buffer.concat([initBody(minor, flags, major), Buffer.alloc(80)]);
      const reply = say(request('FUSE_INIT', whole.subarray(0, length)))!;
      const { agreed } = session;
      const at = s.fuse_init_out.at;
      if (length < s.fuse_init_in.at.flags2) return reply.error === -71 && agreed === undefined;
      if (major > 7)
        return reply.error === 0 && reply.body.readUInt32LE(at.major) === 7 && agreed === undefined;
      if (major < 7 || minor < 31) return reply.error === -71 && agreed === undefined;
      // What `flags2` says counts where the kernel says that it has one.
      const extended = (flags & INIT_FLAGS.FUSE_INIT_EXT) !== 0n && length >= s.fuse_init_in.at.unused;
      const offered = extended && minor >= 36 ? flags : flags & 0xffff_ffffn;
      const said =
        BigInt(reply.body.readUInt32LE(at.flags)) | (BigInt(reply.body.readUInt32LE(at.flags2)) << 32n);
      const maxWrite = reply.body.readUInt32LE(at.max_write);
      return (
        reply.error === 0 &&
        reply.body.byteLength === s.fuse_init_out.byteLength &&
        agreed?.flags === said &&
        (said & ~offered) === 0n &&
        (readdirplus || (said & INIT_FLAGS.FUSE_DO_READDIRPLUS) === 0n) &&
        (!alwaysPlus || (said & INIT_FLAGS.FUSE_READDIRPLUS_AUTO) === 0n) &&
        agreed.minor === Math.min(minor, 45) &&
        reply.body.readUInt32LE(at.minor) === agreed.minor &&
        maxWrite === reply.body.readUInt16LE(at.max_pages) * PAGE &&
        maxWrite === ((said & INIT_FLAGS.FUSE_MAX_PAGES) === 0n ? 32 : 256) * PAGE
      );
    }),
    { numRuns: 2000 },
  );
});
