/**
 * What a start has done so far, and how each part of it is undone. A start in steps adds the way
 * back after each; whichever step fails, nothing is left.
 */
export class UndoStack {
  #steps: (() => unknown)[] = [];

  add(undo: () => unknown): void {
    this.#steps.push(undo);
  }

  /**
   * Undoes all, the last first; one that fails keeps none of the others from being done. Later calls do
   * only what was added meanwhile.
   * @throws what the first one that failed threw, once all were tried.
   */
  async undo(): Promise<void> {
    const steps = this.#steps.reverse();
    this.#steps = [];
    const failures: unknown[] = [];
    for (const step of steps) {
      try {
        await step();
      } catch (thrown) {
        failures.push(thrown);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** The same after something failed: that is what counts, and what fails now is handed to `onFailure`. */
  async undoAfterFailure(onFailure: (thrown: unknown) => void): Promise<void> {
    await this.undo().catch(onFailure);
  }
}
