import t from 'tap';
import { isLinearizable, type Model, type Operation } from '../support/linearizable.js';
import { Random } from '../support/random.js';

/** Compare and set of one number: it answers whether it did, or what it read. */
type Action = { readonly set: number; readonly from: number } | 'read';
const register: Model<number, Action, number | boolean> = {
  first: 0,
  next(state, action, outcome) {
    if (action === 'read') return outcome === undefined || outcome === state ? state : undefined;
    const fits = state === action.from;
    if (outcome !== undefined && outcome !== fits) return undefined;
    return fits ? action.set : state;
  },
  textOf: String,
};

type Op = Operation<Action, number | boolean>;
const cas = (asked: number, told: number, from: number, set: number, outcome?: boolean): Op => ({
  ...{ asked, told, action: { from, set }, outcome },
});
const read = (asked: number, told: number, outcome: number): Op => ({ asked, told, action: 'read', outcome });
const holds = (...operations: Op[]): boolean => isLinearizable(register, operations);

t.test('what one after the other may have done is linearizable', (t) => {
  t.ok(holds());
  t.ok(holds(cas(0, 1, 0, 1, true), read(2, 3, 1), cas(4, 5, 0, 2, false)));
  t.ok(holds(cas(0, 10, 0, 1, true), read(1, 2, 0), read(3, 4, 1)), 'it was done between two reads');
  t.ok(holds(cas(0, 9, 0, 2, false), cas(0, 9, 0, 1, true)), 'one of two who come at once wins');
  t.end();
});

t.test('what cannot have been is not', (t) => {
  t.notOk(holds(cas(0, 9, 0, 1, true), cas(0, 9, 0, 2, true)), 'both of two who come at once win');
  t.notOk(holds(cas(0, 1, 0, 1, true), read(2, 3, 0)), 'what was acknowledged is lost');
  t.notOk(holds(cas(0, 9, 0, 1, true), read(1, 2, 1), read(3, 4, 0)), 'a read goes back behind another');
  t.notOk(holds(read(0, 1, 1), cas(2, 3, 0, 1, true)), 'it is read before it is asked for');
  t.notOk(holds(cas(0, 1, 0, 1, false)), 'it is refused without a reason');
  t.notOk(holds(cas(0, 1, 0, 1, true), cas(2, 3, 1, 0, true), cas(4, 5, 1, 2, true)), 'from what has gone');
  t.end();
});

t.test('what nobody knows of may have been done, later too, or never, but once', (t) => {
  const lost = cas(0, Infinity, 0, 1);
  t.ok(holds(lost, read(5, 6, 0)), 'never');
  t.ok(holds(lost, read(5, 6, 1)), 'it was');
  t.ok(holds(lost, read(5, 6, 0), read(7, 8, 1)), 'later');
  t.notOk(holds(lost, read(5, 6, 1), read(7, 8, 0)), 'not undone');
  t.notOk(holds(lost, read(5, 6, 1), cas(7, 8, 1, 0, true), read(9, 10, 1)), 'not twice');
  t.notOk(holds({ ...lost, asked: 7 }, read(5, 6, 1)), 'not before it was asked for');
  t.end();
});

t.test('histories of a real register hold, and do not once one answer is another', (t) => {
  const random = new Random(7);
  let broken = 0;
  for (let round = 0; round < 200; round++) {
    let state = 0;
    const operations = Array.from({ length: 24 }, (_, n): Op => {
      // Each is done at n, and seen to last from somewhat before to somewhat after.
      const [asked, told] = [n - random.below(40) / 10, n + random.below(40) / 10];
      if (random.below(3) === 0) return { asked, told, action: 'read', outcome: state };
      const action = { from: random.below(4), set: random.below(4) };
      const fits = state === action.from;
      if (fits) state = action.set;
      return random.below(6) === 0
        ? { asked, told: Infinity, action, outcome: undefined }
        : { asked, told, action, outcome: fits };
    });
    if (!isLinearizable(register, operations)) t.fail(`round ${round} is a history that was`);
    const at = operations.findIndex(({ action }, n) => n > 8 && action === 'read');
    const wrong = operations.map((one, n) => (n === at ? { ...one, outcome: 7 } : one));
    if (at >= 0 && !isLinearizable(register, wrong)) broken++;
  }
  t.ok(broken > 190, 'a value that nobody wrote is never taken');
  t.end();
});
