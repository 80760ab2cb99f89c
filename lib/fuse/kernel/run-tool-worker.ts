// Starts tools for the main thread, with the rights that this thread was started with.
import { runToolHere, type ToolRequest } from './run-tool.js';
import { workerPort } from './worker-port.js';

const port = workerPort();

port.on('message', ({ id, program, args, options }: ToolRequest) => {
  void runToolHere(program, args, options).then((result) => port.postMessage({ id, result }));
});
