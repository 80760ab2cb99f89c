import t from 'tap';
import { fittedWidths } from '../../lib/cli/print.js';
import { wrapped } from '../../lib/cli/wrapped.js';
import { acheron, Up } from '../support/acheron.js';
import { Pty } from '../support/pty.js';
import { lacks } from '../support/shells.js';
import { PlaneCommands } from './plane-commands.js';

t.test('a table fits the terminal: its widest columns give, and none to nothing', async (t) => {
  t.same(fittedWidths([10, 20, 5], Infinity), [10, 20, 5], 'a pipe gets all of it');
  t.same(fittedWidths([10, 20, 5], 39), [10, 20, 5]);
  t.same(fittedWidths([10, 20, 5], 34), [10, 15, 5]);
  t.same(fittedWidths([9, 30, 30], 53), [9, 20, 20]);
  t.same(fittedWidths([9, 30, 30], 52), [9, 20, 19], 'the last gives first');
  t.same(fittedWidths([30, 30, 3], 50), [30, 13, 3], 'what a row is named by stays whole');
  t.same(fittedWidths([30, 30, 3], 10), [30, 8, 3], 'a terminal that is too narrow gets no table');
  t.same(fittedWidths([], 10), []);
});

t.test(
  'at a terminal of 40 columns nothing is cut: a line for each value',
  { skip: lacks('python3') },
  async (t) => {
    const { under } = await PlaneCommands.start(t);
    const env = { ACHERON_CONTROL_URL: under.url, ACHERON_STATE_DIR: under.stateDir, NO_COLOR: '1' };
    const [{ token_id }] = JSON.parse((await acheron(['token', 'list', '--json'], { env })).stdout) as [
      { token_id: string },
    ];
    const pty = new Pty(t, ['token', 'list'], { env, columns: 40 });
    t.equal(await pty.ended(), 0);
    const blocks = pty.written.trimEnd().split('\r\n\r\n');
    t.equal(blocks.length, 2);
    t.match(blocks[0], new RegExp(`^TOKEN +${token_id}\\r\\nROLE +admin\\r\\nPROJECTS +any\\r\\n`));
  },
);

t.test('a line that is too long is broken between words, what goes on is further in', async (t) => {
  const text = 'one two   three four five six seven';
  t.equal(wrapped(text, 2, Infinity), text, 'a pipe gets it as it is');
  t.equal(wrapped(text, 2, 35), text);
  t.equal(wrapped(text, 2, 20), 'one two   three four\n  five six seven');
  t.equal(wrapped(`    ${text}`, 4, 24), '    one two   three four\n    five six seven');
  t.equal(
    wrapped('see /a/path/that/is/longer/than/that now', 2, 20),
    'see\n  /a/path/that/is/longer/than/that\n  now',
  );
  t.equal(
    wrapped('eins 二二二二二二二二 drei', 2, 20),
    'eins\n  二二二二二二二二\n  drei',
    'wide characters count twice',
  );
  t.equal(wrapped(text, 2, 10), text, 'a terminal that is too narrow breaks it itself');
});

t.test(
  'at 40 columns lists, logs and findings break between words alone',
  { skip: lacks('python3') },
  async (t) => {
    const { under } = await PlaneCommands.start(t);
    const env = { ACHERON_CONTROL_URL: under.url, ACHERON_STATE_DIR: under.stateDir, NO_COLOR: '1' };
    t.equal((await acheron(['project', 'create', 'narrow'], { env })).status, 0);
    const up = await Up.start(t, { manifests: [] });
    const atNode = { ACHERON_STATE_DIR: up.stateDir, NO_COLOR: '1' };
    for (const words of [['ls', '-l', '/'], ['audit'], ['doctor'], ['watch', '--since', '0']]) {
      const pty = new Pty(t, words, { env: words[0] === 'ls' ? atNode : env, columns: 40 });
      if (words[0] === 'watch') {
        await pty.until(/project_\w+/);
        pty.signal(2);
      }
      await pty.ended();
      const lines = pty.written.split('\r\n');
      t.ok(
        lines.some((line) => line.startsWith('  ')),
        `${words[0]} goes on further in`,
      );
      t.same(
        lines.filter((line) => line.length > 40 && /\S\s+\S/.test(line)),
        [],
        words.join(' '),
      );
    }
  },
);

t.test('help fits the terminal', { skip: lacks('python3') }, async (t) => {
  for (const columns of [40, 80]) {
    const pty = new Pty(t, ['invoke', '--help'], { columns });
    t.equal(await pty.ended(), 0);
    const [options = ''] = pty.written.split('Examples:');
    const lines = options.split('\r\n').filter((line) => !line.startsWith('Usage:'));
    t.same(
      lines.filter((line) => line.length > columns),
      [],
    );
    t.match(
      options.replaceAll(/\s+/g, ' '),
      /--key <key> make a retry safe: the same key and request run once/,
    );
  }
});

t.test('help that goes elsewhere is as wide as 80 columns, and its paragraphs are filled', async (t) => {
  for (const command of ['up', 'watch', 'invoke']) {
    const { stdout } = await acheron([command, '--help']);
    const [text = ''] = stdout.split('Examples:');
    const lines = text.split('\n').filter((line) => !line.startsWith('Usage:'));
    t.same(
      lines.filter((line) => line.length > 80),
      [],
      command,
    );
    for (const paragraph of text.split('\n\n').filter((part) => /^[A-Z][^\n]*\n[a-z]/.test(part)))
      for (const [at, line] of paragraph.split('\n').slice(0, -1).entries()) {
        const [next = ''] = paragraph.split('\n')[at + 1]!.split(' ');
        t.ok(line.length + 1 + next.length > 80, line);
      }
  }
});

t.test('colours are for terminals, unless --color or NO_COLOR says otherwise', async (t) => {
  const isColoured = async (words: string[], env: NodeJS.ProcessEnv = {}) =>
    (await acheron(['validate', '.', ...words], { env })).stdout.includes('\u001b[');
  t.notOk(await isColoured([], { NO_COLOR: '' }), 'a pipe gets none');
  t.ok(await isColoured(['--color']), 'nor does NO_COLOR hold against it');
  t.ok(await isColoured(['--color=always']));
  t.notOk(await isColoured(['--color=never'], { NO_COLOR: '', FORCE_COLOR: '1' }));
  t.notOk(await isColoured(['--no-color'], { NO_COLOR: '', FORCE_COLOR: '1' }));
  t.equal((await acheron(['validate', '.', '--color=blue'])).status, 2);
});
