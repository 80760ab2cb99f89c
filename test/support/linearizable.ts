/** One operation as its caller saw it: when it was asked for, and when its outcome was known. */
export interface Operation<Action, Outcome> {
  readonly asked: number;
  /** Infinity where nobody knows whether it was done: it may have been, or may yet be, at any time after it was asked for. */
  readonly told: number;
  readonly action: Action;
  /** Undefined where nobody knows. */
  readonly outcome: Outcome | undefined;
}

/** What one thing may do, one operation after the other. */
export interface Model<State, Action, Outcome> {
  readonly first: State;
  /**
   * What follows where the action had that outcome, or undefined where it cannot have had it in this state; without an outcome, what
   * follows if it was done.
   */
  next(state: State, action: Action, outcome: Outcome | undefined): State | undefined;
  /** States of one text are one. */
  textOf(state: State): string;
}

/** Call or return in the list of what happened, in the order of time. */
interface Mark {
  readonly of: number;
  readonly match: Mark | undefined;
  before: Mark | undefined;
  after: Mark | undefined;
}

/**
 * Whether there is an order of these operations, each at one moment between its call and its answer, that the model allows: the search of
 * Wing and Gong, with the memory of Lowe that visits no set of done operations twice in one state. Operations of which nobody knows
 * may be left out.
 */
export function isLinearizable<State, Action, Outcome>(
  model: Model<State, Action, Outcome>,
  operations: readonly Operation<Action, Outcome>[],
): boolean {
  const head = marksOf(operations);
  let known = operations.filter(({ outcome }) => outcome !== undefined).length;
  const done = new Uint8Array(operations.length);
  const seen = new Set<string>();
  const path: { readonly call: Mark; readonly state: State }[] = [];
  let { first: state } = model;
  let at = head.after;
  while (known > 0) {
    if (at?.match !== undefined) {
      const { action, outcome } = operations[at.of]!;
      const next = model.next(state, action, outcome);
      if (next !== undefined) {
        done[at.of] = 1;
        const place = `${Buffer.from(done).toString('latin1')} ${model.textOf(next)}`;
        if (!seen.has(place)) {
          seen.add(place);
          path.push({ call: at, state });
          state = next;
          if (outcome !== undefined) known--;
          lift(at);
          at = head.after;
          continue;
        }
        done[at.of] = 0;
      }
      at = at.after;
      continue;
    }
    // An answer whose operation is not done yet, or the end: something that was done was not the one.
    const last = path.pop();
    if (last === undefined) return false;
    state = last.state;
    done[last.call.of] = 0;
    if (operations[last.call.of]!.outcome !== undefined) known++;
    unlift(last.call);
    at = last.call.after;
  }
  return true;
}

/** The head of a list of calls and answers. Those that nobody was told of have their answers at the end. */
function marksOf(operations: readonly Operation<unknown, unknown>[]): Mark {
  const marks = operations.flatMap(({ asked, told }, of) => {
    const answer: Mark = { of, match: undefined, before: undefined, after: undefined };
    const call: Mark = { of, match: answer, before: undefined, after: undefined };
    return [
      { time: asked, order: 0, mark: call },
      { time: told, order: 1, mark: answer },
    ];
  });
  // At one moment calls come first: the more may overlap.
  marks.sort((a, b) => (a.time === b.time ? a.order - b.order : a.time - b.time));
  const head: Mark = { of: -1, match: undefined, before: undefined, after: undefined };
  let last = head;
  for (const { mark } of marks) {
    last.after = mark;
    mark.before = last;
    last = mark;
  }
  return head;
}

function lift(call: Mark): void {
  for (const mark of [call, call.match!]) {
    mark.before!.after = mark.after;
    if (mark.after !== undefined) mark.after.before = mark.before;
  }
}

function unlift(call: Mark): void {
  for (const mark of [call.match!, call]) {
    mark.before!.after = mark;
    if (mark.after !== undefined) mark.after.before = mark;
  }
}
