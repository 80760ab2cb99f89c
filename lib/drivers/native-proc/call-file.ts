import { randomBytes } from 'node:crypto';
import { closeSync, fchownSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Invocation } from '../contract.js';
import { callFacts } from './environment.js';
import type { Command } from './process-group.js';

/**
 * How a process that was started before its call learns of it: `ACHERON_CALL_FILE` names a file, empty
 * until the request begins to arrive, with the facts of the call as one JSON object. It has no name in
 * any folder (the process holds it as its descriptor 3), so nothing of it can be left behind.
 */
export class CallFile {
  static readonly VARIABLE = { ACHERON_CALL_FILE: '/dev/fd/3' };
  readonly fd: number;
  #isOpen = true;

  constructor(ids: Command['ids']) {
    const path = join(tmpdir(), `acheron-call-${randomBytes(8).toString('hex')}`);
    this.fd = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    if (ids !== null) fchownSync(this.fd, ids.uid, ids.gid);
  }

  write(call: Invocation): void {
    writeSync(this.fd, `${JSON.stringify(callFacts(call))}\n`, 0);
  }

  close(): void {
    if (this.#isOpen) closeSync(this.fd);
    this.#isOpen = false;
  }
}
