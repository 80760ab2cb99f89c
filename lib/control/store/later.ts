/**
 * Makes a change of its own that nobody waits for: at once and by itself, or, where a log orders all changes, some time soon. What goes
 * wrong with it is logged.
 */
export type Later = (work: () => unknown) => void;
