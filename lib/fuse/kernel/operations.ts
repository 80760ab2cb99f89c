import { attributeOperations } from './operations/attributes.js';
import { directoryOperations } from './operations/directories.js';
import { fileOperations } from './operations/files.js';
import { lockOperations } from './operations/locks.js';
import { nameOperations } from './operations/names.js';
import type { Operation } from './operations/operation.js';
import { xattrOperations } from './operations/xattrs.js';

const table: (Operation<unknown> | undefined)[] = [];
for (const [opcode, operation] of [
  ...nameOperations,
  ...attributeOperations,
  ...xattrOperations,
  ...fileOperations,
  ...directoryOperations,
  ...lockOperations,
])
  table[opcode] = operation;

/** How requests of this kind are read and answered; undefined for kinds that are not served. */
export function operationOf(opcode: number): Operation<unknown> | undefined {
  return table[opcode];
}
