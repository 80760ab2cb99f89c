import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { blocksOfMarkdown, patternFromOutput } from '../docs/blocks.js';
import { PROGRAM } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { temporaryDir } from '../support/test-node.js';
import { top } from '../docs/mounted.js';

const examples = readdirSync(join(top, 'examples'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

t.setTimeout(240_000);

for (const name of examples)
  t.test(`examples/${name} prints what its README says, and leaves nothing behind`, async (t) => {
    const readme = readFileSync(join(top, 'examples', name, 'README.md'), 'utf8');
    const shown = /```text\n([^]*?)```/.exec(readme)?.[1];
    t.ok(shown, 'it says what it prints');
    t.same(blocksOfMarkdown(readme), []);
    const dir = temporaryDir(t);
    cpSync(join(top, 'examples'), join(dir, 'examples'), { recursive: true });
    // As npm would have installed it.
    mkdirSync(join(dir, 'node_modules'));
    symlinkSync(top, join(dir, 'node_modules/acheron'));
    mkdirSync(join(dir, 'bin'));
    mkdirSync(join(dir, 'tmp'));
    writeFileSync(join(dir, 'bin/acheron'), `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`, {
      mode: 0o755,
    });
    const env = { ...cleanEnvironment(), NO_COLOR: '1', TMPDIR: join(dir, 'tmp') };
    const run = spawn(join(dir, 'examples', name, 'run.sh'), {
      env: { ...env, PATH: `${join(dir, 'bin')}:${process.env['PATH']}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [run.stdout, run.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    const [status] = (await once(run, 'close')) as [number | null];
    t.equal(status, 0, said);
    const printed = said.replace(/^.* warn {2}.*\n/gm, '');
    t.match(printed.trimEnd(), patternFromOutput(shown ?? ''));
    t.same(readdirSync(join(dir, 'tmp')), []);
  });
