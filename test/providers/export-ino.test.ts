import t from 'tap';
import { exportIno } from '../../lib/providers/export/export-ino.js';

t.test('files of many devices, with large numbers too, have numbers of their own below 2^53', async (t) => {
  const seen = new Map<bigint, string>();
  const files: [number, bigint][] = [];
  for (let dev = 0; dev < 40; dev++)
    for (const ino of [
      1n,
      2n,
      256n,
      (1n << 32n) - 1n,
      1n << 32n,
      (1n << 48n) + 2n,
      (1n << 62n) + 2n,
      (1n << 64n) - 1n,
    ])
      files.push([dev * 0x100000, ino]);
  for (const [dev, ino] of files) {
    const shown = exportIno(dev, ino);
    const file = `${dev}:${ino}`;
    t.notOk(seen.has(shown), `${file} and ${seen.get(shown)}`);
    seen.set(shown, file);
    t.ok(Number.isSafeInteger(Number(shown)));
  }
  for (const [dev, ino] of files) t.equal(seen.get(exportIno(dev, ino)), `${dev}:${ino}`, 'and keep them');
});

t.test('a filesystem whose numbers are hashes is no matter either', async (t) => {
  const shown = new Set<bigint>();
  const numbers = Array.from(
    { length: 150_000 },
    (_, i) => (BigInt(i) * 0x9e37_79b9_7f4a_7c15n) & 0xffff_ffff_ffff_ffffn,
  );
  for (const ino of numbers) shown.add(exportIno(7, ino));
  t.equal(shown.size, numbers.length);
  t.ok([...shown].every((ino) => ino < 1n << 53n));
  t.ok(numbers.every((ino) => shown.has(exportIno(7, ino))));
});
