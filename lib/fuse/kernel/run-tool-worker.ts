// Starts tools for the main thread, with the rights that this thread was started with.
import { parentPort } from 'node:worker_threads';
import { runToolHere, type ToolRequest } from './run-tool.js';

parentPort!.on('message', ({ id, program, args, options }: ToolRequest) => {
  void runToolHere(program, args, options).then((result) => parentPort!.postMessage({ id, result }));
});
