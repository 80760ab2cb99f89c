import { isLinearizable, type Model, type Operation } from '../support/linearizable.js';

/** What may be done with a project that takes turns: there once, then gone, then there again. */
export type CellAction =
  { readonly kind: 'create' | 'update'; readonly value: string } | { readonly kind: 'delete' | 'look' };
/** The value that it has after it, or, for one that is refused, why. */
export type CellOutcome = string;
export const IS_THERE = 'EEXIST';
export const IS_NOT_THERE = 'ENOENT';
/** The control plane that was asked has a full disk: it was not done. */
export const NO_ROOM = 'ENOSPC';
export const GONE = 'gone';

/** A project and its description: made only where there is none, changed and deleted only where there is one. */
export const projectCell: Model<string | null, CellAction, CellOutcome> = {
  first: null,
  next(state, action, outcome) {
    if (outcome === NO_ROOM) return state;
    const isThere = state !== null;
    if (action.kind === 'create') {
      if (outcome === IS_THERE) return isThere ? state : undefined;
      return isThere ? undefined : action.value;
    }
    if (outcome === IS_NOT_THERE) return isThere ? undefined : null;
    if (!isThere) return undefined;
    if (action.kind === 'delete') return null;
    if (action.kind === 'update') return action.value;
    return outcome === undefined || outcome === state ? state : undefined;
  },
  textOf: (state) => state ?? '\0',
};

/** Who joined by an invite that is good once: it is refused to everybody else. */
export const invite: Model<string | null, { readonly as: string }, 'joined' | 'refused'> = {
  first: null,
  next(state, { as }, outcome) {
    if (outcome === 'refused') return state === null ? undefined : state;
    return state === null ? as : undefined;
  },
  textOf: (state) => state ?? '\0',
};

/** The epoch of a node: whoever connects as it has the next one. */
export const epochs: Model<number, 'connect', number> = {
  first: 0,
  next: (state, _action, outcome) => (outcome === undefined || outcome === state + 1 ? state + 1 : undefined),
  textOf: String,
};

/** What was done to one thing by several at once, and whether that can be. */
export class Cell<State, Action, Outcome> {
  readonly operations: Operation<Action, Outcome>[] = [];
  readonly #model: Model<State, Action, Outcome>;

  constructor(
    readonly name: string,
    model: Model<State, Action, Outcome>,
  ) {
    this.#model = model;
  }

  /** Notes what `act` came to; `undefined` is that nobody knows. */
  async note(action: Action, act: () => Promise<Outcome | undefined>): Promise<Outcome | undefined> {
    const asked = performance.now();
    const outcome = await act();
    const told = outcome === undefined ? Infinity : performance.now();
    this.operations.push({ asked, told, action, outcome });
    return outcome;
  }

  get fault(): string | undefined {
    return isLinearizable(this.#model, this.operations)
      ? undefined
      : `${this.name} cannot have been: ${JSON.stringify(this.operations)}`;
  }
}
