import t from 'tap';
import { UndoStack } from '../../lib/core/index.js';

t.test('whichever of several steps fails, those before it are undone, the last first', async (t) => {
  const STEPS = 5;
  for (let failing = 0; failing < STEPS; failing++) {
    const undo = new UndoStack();
    const undone: number[] = [];
    const start = async (): Promise<void> => {
      for (let step = 0; step < STEPS; step++) {
        if (step === failing) throw new Error(`step ${step}`);
        undo.add(async () => undone.push(step));
      }
    };
    await t.rejects(start(), { message: `step ${failing}` });
    await undo.undo();
    t.same(
      undone,
      Array.from({ length: failing }, (_, at) => failing - 1 - at),
    );
    await undo.undo();
    t.equal(undone.length, failing, 'each once');
  }
});

t.test(
  'a step that cannot be undone keeps none of the others from being undone, and is reported',
  async (t) => {
    const undo = new UndoStack();
    const undone: string[] = [];
    undo.add(() => undone.push('first'));
    undo.add(() => {
      throw new Error('second');
    });
    undo.add(() => undone.push('third'));
    await t.rejects(undo.undo(), { message: 'second' });
    t.same(undone, ['third', 'first']);
    undo.add(() => Promise.reject(new Error('fourth')));
    const reported: unknown[] = [];
    await undo.undoAfterFailure((failure) => reported.push(failure));
    t.match(reported, [{ message: 'fourth' }]);
  },
);
