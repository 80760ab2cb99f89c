import type { Test } from 'tap';
import { codeOf, O, readText, writeText, type Access } from '../support/access.js';

const R_OK = 4;
const W_OK = 2;

export function testControls(t: Test, access: Access): void {
  t.test(
    'mode bits are true: what may not be written has no write bit and cannot be opened so',
    async (t) => {
      t.equal((await access.stat('/control/denied')).mode & 0o200, 0);
      t.equal(await codeOf(access.access('/control/denied', W_OK)), 'EACCES');
      t.equal(await codeOf(access.access('/control/denied', R_OK)), null);
      t.equal(await codeOf(access.open('/control/denied', O.write)), 'EACCES');
      t.equal((await access.stat('/control/poke')).mode & 0o200, 0o200);
      t.equal(await codeOf(access.access('/control/poke', W_OK | R_OK)), null);
      t.equal(await codeOf(access.access('/docs', 1)), null, 'directories can be searched');
    },
  );

  t.test('every way of opening to write reaches a control file', async (t) => {
    for (const flags of [
      O.write,
      O.both,
      O.write | O.truncate,
      O.write | O.append,
      O.write | O.create | O.truncate,
    ]) {
      await writeText(access, '/control/poke', `live flags ${flags}\n`, flags);
      t.equal(await readText(access, '/docs/live.json'), `flags ${flags}\n`);
    }
  });

  t.test('touching, truncating and opening without writing do nothing', async (t) => {
    await writeText(access, '/control/poke', 'live untouched\n', O.write);
    await (await access.open('/control/poke', O.write | O.truncate)).close();
    await (await access.open('/control/poke', O.write | O.append)).close();
    const file = await access.open('/control/poke', O.both);
    await file.truncate(0);
    await file.sync();
    await file.close();
    await access.truncate('/control/poke', 0);
    await access.utimes('/control/poke', 1_000_000, 1_000_000);
    t.equal(await readText(access, '/docs/live.json'), 'untouched\n');
    t.equal(await readText(access, '/control/poke'), 'live untouched\n');
    t.match(await codeOf(access.unlink('/control/poke')), /^(EPERM|EACCES)$/);
  });
}
