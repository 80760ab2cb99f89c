// counting ARGS…: the program `acheron`, with these arguments, which says how often each request of the kernel came,
// by name, whenever its parent asks.
import { KernelConnection, OPCODES } from '../../lib/fuse/kernel/index.js';

const asked: Record<string, number> = {};
const names = new Map<number, string>(Object.entries(OPCODES).map(([name, opcode]) => [opcode, name]));
// eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with its `this`
const { dispatch } = KernelConnection.prototype;
KernelConnection.prototype.dispatch = function (bytes, length) {
  const name = names.get(bytes.readUInt32LE(4)) ?? 'unknown';
  asked[name] = (asked[name] ?? 0) + 1;
  return dispatch.call(this, bytes, length);
};
process.on('message', () => process.send!(asked));
await import('../../bin/acheron.js');
