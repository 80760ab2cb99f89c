import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { PROGRAM, Up } from '../support/acheron.js';
import { lacks } from '../support/shells.js';
import { shellManifest } from '../support/test-node.js';

const top = resolve(import.meta.dirname, '../../..');
const ACTING = '\u001b]0;title\u0007\u009b2J\u007f\u202e\rend';
// eslint-disable-next-line no-control-regex
const acts = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e]|\r(?!\n)/;

const loud = shellManifest('loud', `cat; printf '\\033]0;x\\007\\302\\2332J\\342\\200\\256'>&2; exit 3`, {
  help_md: `# Loud ${ACTING}`,
});

/** Standard output and error as one, as a terminal or as a pipe gets them. */
function outputOf(words: readonly string[], kind: 'terminal' | 'pipe', stateDir: string): Promise<string> {
  const own = [process.execPath, PROGRAM, ...words, '--state-dir', stateDir];
  const [command, ...args] =
    kind === 'pipe' ? own : ['python3', '-c', 'import pty, sys; pty.spawn(sys.argv[1:])', ...own];
  const env = { ...process.env, NO_COLOR: '1' };
  return new Promise((done) =>
    execFile(command!, args, { env, timeout: 60_000 }, (_error, stdout, stderr) => done(stdout + stderr)),
  );
}

t.test(
  'what others wrote does not act on a terminal, and is whole in a pipe',
  { skip: lacks('python3'), timeout: 300_000 },
  async (t) => {
    const up = await Up.start(t, { manifests: [loud] });
    const readme = '/nodes/local/services/loud/README.md';
    const inPipe = await outputOf(['cat', readme], 'pipe', up.stateDir);
    t.ok(inPipe.includes(ACTING));
    const shown = await outputOf(['cat', readme], 'terminal', up.stateDir);
    t.match(shown, /# Loud \\x1b\]0;title\\x07\\x9b2J\\x7f\\u202e\\x0dend/);
    t.notMatch(shown, acts);
    const invoked = await outputOf(['invoke', 'loud', '{"a":1}'], 'terminal', up.stateDir);
    t.match(invoked, /\\x1b\]0;x\\x07\\x9b2J\\u202e/);
    t.notMatch(invoked, acts);
    for (const words of [
      ['ls', `/nodes/${ACTING}`],
      ['stop', `--${ACTING}`],
    ]) {
      const failed = await outputOf(words, 'terminal', up.stateDir);
      t.match(failed, /\\x1b|\\u001b/);
      t.notMatch(failed, acts, words[0]!);
    }
  },
);

t.test(
  'the commands write by the functions that look whether it is a terminal, and by nothing else',
  async (t) => {
    const folder = join(top, 'lib/cli');
    const direct = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.startsWith('driver-starters'))
      .filter((file) => /process\.std(out|err)\.write\(/.test(readFileSync(join(folder, file), 'utf8')));
    t.same(direct.sort(), ['failure.ts', 'process-log.ts', 'write-out.ts']);
  },
);
