// A module is loaded once and kept: what it holds lives as long as its thread.
let calls = 0;

export async function invoke({ word }, { progress }) {
  calls++;
  progress({ done: 1, total: 1 });
  return { word, calls };
}
