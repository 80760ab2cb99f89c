import { join } from 'node:path';
import { replaceFile } from '../../disk/index.js';
import type { Role } from '../../policy/index.js';
import type { ControlDatabase } from './database.js';
import type { Tokens } from './tokens.js';

/**
 * On the first start, an admin and a user token in `admin.token` and `user.token`, mode 0600. The files
 * are on disk before the database knows the tokens, so that a crash between the two only repeats it.
 */
export function writeFirstTokens(db: ControlDatabase, tokens: Tokens, stateDir: string): void {
  if (tokens.list().length > 0) return;
  db.change(() => {
    for (const role of ['admin', 'user'] satisfies Role[]) {
      const file = `${role}.token`;
      const { token } = tokens.create({ role, label: 'first start', file });
      writeSecretFile(join(stateDir, file), `${token}\n`);
    }
  });
}

/** Replaces a file of mode 0600 atomically, on disk when it returns. */
export function writeSecretFile(path: string, text: string): void {
  replaceFile(path, text);
}
