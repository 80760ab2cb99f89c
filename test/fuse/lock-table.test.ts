import fc from '../support/properties.js';
import t from 'tap';
import { Errno } from '../../lib/fuse/kernel/index.js';
import { MAX_LOCKS, type OwnedLock } from '../../lib/fuse/vfs-bridge/lock-ranges.js';
import { LockTable } from '../../lib/fuse/vfs-bridge/lock-table.js';

const INO = 7n;
const BYTES = 8;
const OWNERS = 4;
const END = 0x7fff_ffff_ffff_ffffn;

function lockOf(owner: number, kind: OwnedLock['kind'], start = 0n, end = END, fh = owner): OwnedLock {
  return { owner: BigInt(owner), kind, start, end, pid: 1000 + owner, fh };
}

function thrownBy(act: () => void): unknown {
  try {
    act();
    return undefined;
  } catch (thrown) {
    return thrown;
  }
}

interface Step {
  readonly act: 'try' | 'wait' | 'unlock' | 'close' | 'release' | 'interrupt';
  readonly owner: number;
  readonly kind: OwnedLock['kind'];
  readonly start: number;
  readonly length: number;
  readonly second: boolean;
}

interface ModelLock {
  readonly owner: number;
  readonly kind: OwnedLock['kind'];
  readonly start: number;
  readonly end: number;
  readonly fh: number;
}

interface ModelWait {
  readonly lock: ModelLock;
  state: 'waits' | 'has' | 'interrupted' | 'deadlock';
}

/** A lock for each byte and owner, and a list of those who wait. */
class Model {
  readonly bytes = Array.from(
    { length: BYTES },
    () => new Map<number, { kind: OwnedLock['kind']; fh: number }>(),
  );
  waiting: ModelWait[] = [];

  inTheWay({ owner, kind, start, end }: Omit<ModelLock, 'fh'>): number[] {
    return this.bytes
      .slice(start, end + 1)
      .flatMap((holders) =>
        [...holders]
          .filter(([other, held]) => other !== owner && (kind === 'exclusive' || held.kind === 'exclusive'))
          .map(([other]) => other),
      );
  }

  put({ owner, kind, start, end, fh }: ModelLock): void {
    for (const holders of this.bytes.slice(start, end + 1)) holders.set(owner, { kind, fh });
    this.serve();
  }

  drop(goes: (owner: number, fh: number, byte: number) => boolean): void {
    this.bytes.forEach((holders, byte) => {
      for (const [owner, { fh }] of holders) if (goes(owner, fh, byte)) holders.delete(owner);
    });
    this.serve();
  }

  /** From the first on, until nobody can go; one that goes may have given something back. */
  serve(): void {
    for (let served = true; served;) {
      served = false;
      for (const wait of [...this.waiting]) {
        if (this.inTheWay(wait.lock).length > 0) continue;
        this.waiting = this.waiting.filter((other) => other !== wait);
        wait.state = 'has';
        const { owner, kind, start, end, fh } = wait.lock;
        for (const holders of this.bytes.slice(start, end + 1)) holders.set(owner, { kind, fh });
        served = true;
      }
    }
  }

  isRing(lock: ModelLock): boolean {
    const reached = new Set(this.inTheWay(lock));
    for (let grows = true; grows;) {
      const before = reached.size;
      for (const wait of this.waiting)
        if (reached.has(wait.lock.owner)) for (const owner of this.inTheWay(wait.lock)) reached.add(owner);
      grows = reached.size > before;
    }
    return reached.has(lock.owner);
  }
}

async function agree(steps: readonly Step[]): Promise<boolean> {
  const table = new LockTable();
  const model = new Model();
  const waits: { wait: ModelWait; abort: AbortController; state: string }[] = [];
  for (const { act, owner, kind, start, length, second } of steps) {
    const end = Math.min(BYTES - 1, start + length);
    const fh = owner * 2 + Number(second);
    const lock: ModelLock = { owner, kind, start, end, fh };
    const ours = lockOf(owner, kind, BigInt(start), BigInt(end), fh);
    const isFree = model.inTheWay(lock).length === 0;
    if (act === 'try') {
      if (table.tryLock(INO, ours) !== isFree) return false;
      if (isFree) model.put(lock);
    } else if (act === 'wait') {
      const wait: ModelWait = { lock, state: 'waits' };
      if (isFree) {
        wait.state = 'has';
        model.put(lock);
      } else if (model.isRing(lock)) wait.state = 'deadlock';
      else model.waiting.push(wait);
      const abort = new AbortController();
      const known = { wait, abort, state: 'waits' };
      waits.push(known);
      table.lock(INO, ours, abort.signal).then(
        () => (known.state = 'has'),
        (reason: unknown) =>
          (known.state =
            reason === 'interrupted' ? 'interrupted' : reason === Errno.of(35) ? 'deadlock' : 'failed'),
      );
    } else if (act === 'unlock') {
      table.unlock(INO, ours);
      model.drop((other, _fh, byte) => other === owner && byte >= start && byte <= end);
    } else if (act === 'close') {
      table.closed(INO, BigInt(owner));
      model.drop((other) => other === owner);
    } else if (act === 'release') {
      table.released(INO, fh);
      model.drop((_owner, other) => other === fh);
    } else {
      const last = waits.findLast(({ wait }) => wait.state === 'waits');
      if (last !== undefined) {
        last.wait.state = 'interrupted';
        model.waiting = model.waiting.filter((wait) => wait !== last.wait);
        last.abort.abort('interrupted');
      }
    }
    await new Promise(setImmediate);
    if (waits.some(({ wait, state }) => wait.state !== state)) return false;
    for (let byte = 0; byte < BYTES; byte++)
      for (let who = 0; who <= OWNERS; who++)
        for (const probe of ['shared', 'exclusive'] as const) {
          const found = table.inTheWay(INO, lockOf(who, probe, BigInt(byte), BigInt(byte)));
          const expected = model.inTheWay({ owner: who, kind: probe, start: byte, end: byte });
          if (found === undefined ? expected.length > 0 : !expected.includes(Number(found.owner)))
            return false;
        }
    const isEmpty = model.waiting.length === 0 && model.bytes.every((holders) => holders.size === 0);
    if ((table.size === 0) !== isEmpty) return false;
  }
  return true;
}

t.test('whatever is locked, waited for and given up, the table and a plain model agree', async () => {
  const step = fc.record<Step>({
    act: fc.constantFrom('try', 'wait', 'wait', 'unlock', 'close', 'release', 'interrupt'),
    owner: fc.nat(OWNERS - 1),
    kind: fc.constantFrom('shared', 'exclusive'),
    start: fc.nat(BYTES - 1),
    length: fc.nat(BYTES - 1),
    second: fc.boolean(),
  });
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), agree), { numRuns: 150 });
});

t.test('locks that adjoin are one, and a hole makes two of one', (t) => {
  const table = new LockTable();
  table.tryLock(INO, lockOf(1, 'exclusive', 0n, 9n));
  table.tryLock(INO, lockOf(1, 'exclusive', 10n, 19n));
  const seen = (at: bigint): unknown => table.inTheWay(INO, lockOf(2, 'shared', at, at));
  t.match(seen(5n), { start: 0n, end: 19n, pid: 1001 });
  table.unlock(INO, { owner: 1n, start: 8n, end: 8n });
  t.match(seen(0n), { start: 0n, end: 7n });
  t.equal(seen(8n), undefined);
  t.match(seen(9n), { start: 9n, end: 19n });
  t.end();
});

t.test('a file takes so many locks and no more, and what it has stays', (t) => {
  const table = new LockTable();
  for (let i = 0n; i < MAX_LOCKS; i++) table.tryLock(INO, lockOf(1, 'exclusive', i * 4n, i * 4n + 2n));
  t.equal(
    thrownBy(() => table.tryLock(INO, lockOf(2, 'shared', 3n, 3n))),
    Errno.of(37),
  );
  t.equal(
    thrownBy(() => table.unlock(INO, { owner: 1n, start: 1n, end: 1n })),
    Errno.of(37),
  );
  t.match(table.inTheWay(INO, lockOf(2, 'shared', 1n, 1n)), { start: 0n, end: 2n });
  t.equal(table.tryLock(INO + 1n, lockOf(2, 'shared')), true, 'other files do not suffer');
  table.unlock(INO, { owner: 1n, start: 0n, end: END });
  table.closed(INO + 1n, 2n);
  t.equal(table.size, 0);
  t.end();
});

t.test('who wants to wait and has given up already waits no more', async (t) => {
  const table = new LockTable();
  table.tryLock(INO, lockOf(1, 'exclusive'));
  await t.rejects(table.lock(INO, lockOf(2, 'shared'), AbortSignal.abort(new Error('gone'))), /gone/);
  table.released(INO, 1);
  t.equal(table.size, 0);
});
