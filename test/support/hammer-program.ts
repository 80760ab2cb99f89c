import * as fs from 'node:fs';
import { join } from 'node:path';
import { act, type Act } from './onlooker.js';
import { Random } from './random.js';

// hammer ROOT SEED MS NAME...: for that long makes, moves, removes and looks at what bears these names below ROOT,
// each of them a file or a directory with the others in it. Prints how often each act ended how.

const [root = '', seed = '', ms = '', ...names] = process.argv.slice(2);
const random = new Random(Number(seed));

function somewhere(): string {
  return random.below(2) === 0 ? random.of(names) : join(random.of(names), random.of(names));
}

function someAct(): Act | 'look' {
  switch (random.below(8)) {
    case 0:
      return ['write', somewhere(), 'x'.repeat(random.below(20))];
    case 1:
      return ['unlink', somewhere()];
    case 2:
      return ['rmdir', somewhere()];
    case 3:
    case 4:
      return ['rename', somewhere(), somewhere()];
    case 5:
      return 'look';
    default:
      return ['mkdir', somewhere()];
  }
}

const ends: Record<string, number> = {};
for (const until = Date.now() + Number(ms); Date.now() < until;) {
  let end = 'done';
  try {
    const what = someAct();
    if (what !== 'look') act(root, what);
    else if (random.below(2) === 0) fs.readdirSync(join(root, somewhere()));
    else fs.lstatSync(join(root, somewhere()));
  } catch (thrown) {
    end = (thrown as NodeJS.ErrnoException).code ?? String(thrown);
  }
  ends[end] = (ends[end] ?? 0) + 1;
}
console.log(JSON.stringify(ends));
