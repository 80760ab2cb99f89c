import t from 'tap';
import { acheron, Up } from '../support/acheron.js';
import { Pty } from '../support/pty.js';
import { lacks } from '../support/shells.js';
import { shellManifest } from '../support/test-node.js';

t.setTimeout(120_000);

const up = await Up.start(t, {
  manifests: [shellManifest('paint', 'cat', { invoke_template: { colour: "red'ish" } })],
});
const env = { ACHERON_STATE_DIR: up.stateDir };

t.test('an empty request is refused with one to paste, and nothing runs', async (t) => {
  for (const args of [['paint'], ['paint', '-']]) {
    const { stdout, stderr, status } = await acheron(['invoke', ...args], { env, stdin: '\n' });
    t.same([stdout, status], ['', 1]);
    t.match(
      stderr,
      `The request is empty: nothing was called. (EINVAL)\nWrite one JSON object, for instance: acheron invoke paint '{"colour":"red'\\''ish"}'\n`,
    );
  }
  t.equal(
    (await acheron(['ls', '/nodes/local/services/paint/jobs', ...['--state-dir', up.stateDir]])).stdout,
    'by-key/\n',
  );
});

t.test('who types a request at a terminal is told so', { skip: lacks('python3') }, async (t) => {
  const pty = new Pty(t, ['invoke', 'paint'], { env });
  await pty.until(/read from the terminal\. Ctrl-D ends it\./);
  pty.type('{"colour":"blue"}\n\u0004');
  t.equal(await pty.ended(), 0);
  t.match(pty.shown, /"colour": "blue"\r\n\}/);
});
