import { setImmediate } from 'node:timers/promises';
import type { Awaitable } from '../../vfs/index.js';
import type { ObjectScanner, ScannedObject } from './object-scanner.js';

const PIECE_BYTES = 16 * 1024;
/** How long one scan may hold the thread, in ms, before others have their turn. */
const TURN_MS = 5;

/**
 * The objects that `data` completes, as `scanner.push` finds them: at once, unless it takes too long for that.
 * @throws FsError EINVAL as `push` does
 */
export function scanInTurns(scanner: ObjectScanner, data: Uint8Array): Awaitable<ScannedObject[]> {
  if (data.length <= PIECE_BYTES) return scanner.push(data);
  scanner.append(data);
  const found = scanOneTurn(scanner);
  return scanner.unscannedBytes === 0 ? found : scanRest(scanner, found);
}

async function scanRest(scanner: ObjectScanner, found: ScannedObject[]): Promise<ScannedObject[]> {
  while (scanner.unscannedBytes > 0) {
    await setImmediate();
    found.push(...scanOneTurn(scanner));
  }
  return found;
}

function scanOneTurn(scanner: ObjectScanner): ScannedObject[] {
  const endsAt = performance.now() + TURN_MS;
  const found = scanner.scan(PIECE_BYTES);
  while (scanner.unscannedBytes > 0 && performance.now() < endsAt) found.push(...scanner.scan(PIECE_BYTES));
  return found;
}
