import type { Test } from 'tap';
import type { MemberFacts, NewEntry, ReplicatedLog } from '../../lib/cluster/index.js';
import { until } from '../support/until.js';

const entry = (id: string): NewEntry => ({ id, data: Buffer.from(`data of ${id}`) });
const member = (id: string): MemberFacts => ({ id, address: `ws://${id}`, version: '1.2.3', startedAtMs: 1 });
const QUIET = { leaseMs: 60_000, outOfTurn: false, forget: [] };

/** What each engine of the log has to keep. `open` answers another client of one log, which is empty at first. */
export function replicatedLogSuite(t: Test, open: () => Promise<ReplicatedLog>): void {
  t.test('entries have one order, whoever writes them', async (t) => {
    const [one, other] = [await open(), await open()];
    t.equal(one.logId, other.logId);
    t.strictSame(await one.read(0, 9), { entries: [], head: { seq: 0, id: '' } });
    t.equal(await one.append(0, entry('a')), true);
    t.equal(await other.append(0, entry('b')), false, 'who comes second sees that');
    t.equal(await one.append(0, entry('a')), true, 'who lost the answer may ask again');
    t.equal(await other.append(1, entry('b')), true);
    t.equal(await other.append(7, entry('c')), false, 'there are no gaps');
    const { entries, head } = await one.read(0, 9);
    t.strictSame(
      entries.map(({ seq, id, data }) => [seq, id, String(data)]),
      [
        [1, 'a', 'data of a'],
        [2, 'b', 'data of b'],
      ],
    );
    t.strictSame(head, { seq: 2, id: 'b' });
    t.equal((await other.read(1, 1)).entries[0]?.id, 'b');
    t.equal(await one.idAt(1), 'a');
    t.equal(await one.idAt(9), undefined);
  });

  t.test('of many who write at once, each entry stands where its writer was told', async (t) => {
    const logs = [await open(), await open(), await open()];
    const { head } = await logs[0]!.read(0, 1);
    const told = new Map<number, string>();
    await Promise.all(
      logs.map(async (log, who) => {
        for (let n = 0; n < 15;) {
          const { head: now } = await log.read(head.seq, 1);
          const id = `w${who}-${n}`;
          if (!(await log.append(now.seq, entry(id)))) continue;
          told.set(now.seq + 1, id);
          n++;
        }
      }),
    );
    const { entries } = await logs[0]!.read(head.seq, 99);
    t.equal(entries.length, 45);
    t.ok(entries.every(({ seq, id }) => told.get(seq) === id));
  });

  t.test('who follows is woken, and told by which entry', async (t) => {
    const [one, other] = [await open(), await open()];
    const woken: (number | null)[] = [];
    one.follow((appended) => woken.push(appended));
    const { head } = await one.read(0, 1);
    await other.read(0, 1);
    if (one.engine === 'embedded') await one.append(head.seq, entry('wake'));
    else
      await until(async () => {
        const { head: now } = await other.read(head.seq, 1);
        await other.append(now.seq, entry(`wake-${now.seq}`));
        return woken.some((appended) => appended !== null);
      });
    t.ok(
      woken.some((appended) => appended !== null && appended > head.seq),
      'and told which entry it is',
    );
  });

  t.test('a snapshot stands for what is trimmed', async (t) => {
    const [one, other] = [await open(), await open()];
    const { head } = await one.read(0, 1);
    t.equal(await one.newestSnapshot(5), undefined);
    const data = Buffer.alloc(2_500_000, 'snapshot');
    await one.writeSnapshot({ ...head, format: 5, data });
    await one.writeSnapshot({ ...head, format: 5, data: Buffer.from('a second one of the same place') });
    t.same(await other.newestSnapshot(5), { ...head, format: 5, data });
    t.equal(await other.newestSnapshot(4), undefined, 'of a later release');
    t.strictSame(await other.lastSnapshot(), { ...head, format: 5 });
    await one.append(head.seq, entry('after'));
    await one.trim(head.seq);
    await t.rejects(other.read(0, 1), { code: 'EOVERFLOW' });
    t.equal((await other.read(head.seq, 9)).entries[0]?.id, 'after');
    await other.trim(head.seq + 1);
    t.strictSame(await one.read(head.seq + 1, 9), { entries: [], head: { seq: head.seq + 1, id: 'after' } });
    await t.rejects(one.read(head.seq, 9), { code: 'EOVERFLOW' });
  });

  t.test('members are known with what they applied, until they leave or their lease runs out', async (t) => {
    const [one, other] = [await open(), await open()];
    await one.renew(member('m1'), { ...QUIET, appliedSeq: 1 });
    const { head, members } = await other.renew(member('m2'), { ...QUIET, appliedSeq: 2, leaseMs: 1 });
    t.strictSame(head, (await one.read(head.seq, 1)).head);
    t.match(
      [...members].sort((a, b) => (a.id < b.id ? -1 : 1)),
      [
        { ...member('m1'), appliedSeq: 1, beat: 1 },
        { ...member('m2'), appliedSeq: 2, beat: 1 },
      ],
    );
    t.ok(members.find(({ id }) => id === 'm1')!.leaseLeftMs > 30_000);
    await until(async () => {
      const { members: later } = await one.renew(member('m1'), { ...QUIET, appliedSeq: 3 });
      return later.find(({ id }) => id === 'm2')!.leaseLeftMs <= 0;
    });
    const { members: now } = await one.renew(member('m1'), { ...QUIET, appliedSeq: 3, outOfTurn: true });
    t.ok(now.find(({ id }) => id === 'm1')!.beat > 1);
    await other.leave('m2');
    const { members: left } = await one.renew(member('m1'), { ...QUIET, appliedSeq: 3 });
    t.strictSame(
      left.map(({ id }) => id),
      ['m1'],
    );
  });

  t.test(
    'a member is forgotten where another one says so, and its lease has run out; never by the clock alone',
    async (t) => {
      const [one, other] = [await open(), await open()];
      const ids = async (forget: string[]): Promise<string[]> => {
        const renewing = { ...QUIET, appliedSeq: 1, forget };
        await one.renew(member('m1'), renewing);
        const { members } = await one.renew(member('m1'), renewing);
        return members.map(({ id }) => id).sort();
      };
      await other.renew(member('lives'), { ...QUIET, appliedSeq: 1 });
      await other.renew(member('gone'), { ...QUIET, appliedSeq: 1, leaseMs: 1 });
      t.strictSame(await ids([]), ['gone', 'lives', 'm1']);
      await until(async () => !(await ids(['m1', 'lives', 'gone'])).includes('gone'), 'it to be forgotten');
      t.strictSame(await ids(['m1', 'lives', 'gone']), ['lives', 'm1']);
      for (const id of ['m1', 'lives']) await other.leave(id);
    },
  );
}
