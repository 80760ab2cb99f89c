import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { newFilesIn, openStateDir } from '../../lib/disk/index.js';
import { temporaryDir } from '../support/test-node.js';

const PROGRAM = join(import.meta.dirname, '..', 'support', 'place-state-program.js');

/** Files `a` and `b/c` that hold `text`. */
function fill(dir: string, text: string): void {
  mkdirSync(join(dir, 'b'), { recursive: true, mode: 0o700 });
  writeFileSync(join(dir, 'a'), text, { mode: 0o600 });
  writeFileSync(join(dir, 'b', 'c'), text, { mode: 0o600 });
}

const textsIn = (dir: string): string[] =>
  ['a', 'b/c'].map((name) => (existsSync(join(dir, name)) ? readFileSync(join(dir, name), 'utf8') : 'none'));

t.test(
  'a restore that is killed at any step leaves the old state or the new one, whole, to the next start',
  async (t) => {
    const outcomes: string[] = [];
    for (let step = 0; ; step++) {
      const dir = join(temporaryDir(t), 'state');
      fill(dir, 'old');
      const working = join(dir, '.acheron-backup-1');
      mkdirSync(working, { mode: 0o700 });
      fill(newFilesIn(working), 'new');
      const { signal, status, stderr } = spawnSync(process.execPath, [PROGRAM, dir, String(step)], {
        encoding: 'utf8',
      });
      if (signal === null) {
        t.equal(status, 0, stderr);
        t.same(textsIn(dir), ['new', 'new']);
        t.same(textsIn(join(dir, 'before')), ['old', 'old']);
        t.same(readdirSync(dir).sort(), ['a', 'b', 'before'], 'nothing else is left');
        break;
      }
      openStateDir(dir);
      const [first, ...others] = textsIn(dir);
      outcomes.push(first!);
      t.ok(
        others.every((text) => text === first),
        `killed before step ${step}: all of it is ${first}`,
      );
      if (first === 'new') t.same(textsIn(join(dir, 'before')), ['old', 'old'], 'what was there is aside');
      openStateDir(dir);
      t.same(textsIn(dir), [first, first], 'a later start changes nothing');
    }
    t.same([...new Set(outcomes)], ['old', 'new'], 'old up to some step, new from there on');
  },
);
