import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { Up } from '../support/acheron.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

/** Large enough for its check to be watched by the clock. */
const REQUEST = JSON.stringify({ text: 'x'.repeat(20_000) });
const CALL = 'echo "$REQUEST" > control/invoke.json && echo done || cat last_error.txt';

const WORDS = /too many files open|as many files open as it may/;

t.test('a node that has as many files open as it may refuses calls in words, and goes on', async (t) => {
  const schema = { input: { type: 'object', properties: { text: { type: 'string', pattern: '^x+$' } } } };
  const go = join(temporaryDir(t), 'go');
  const script = `cat > /dev/null; until [ -e ${go} ]; do sleep 0.05; done; echo "{}"`;
  const manifest = shellManifest('nap', script, { schema, runtime: { max_concurrency: 64 } });
  const up = await Up.start(t, { manifests: [manifest], openFiles: 80 });
  const cwd = up.service('nap');
  const call = async (): Promise<string> => {
    const { stdout, stderr } = await execa('bash', ['-c', CALL], { cwd, env: { REQUEST }, reject: false });
    return `${stdout}${stderr}`;
  };
  const said: string[] = [];
  const calls = Array.from({ length: 40 }, async () => said.push(await call()));
  await until(() => said.some((text) => WORDS.test(text)), 'some are refused', 25_000);
  writeFileSync(go, '');
  await Promise.all(calls);
  const told = said.join('\n');
  t.equal(up.child.exitCode, null, `the node lives: ${up.said}`);
  t.match(told, /LimitNOFILE=/, 'with what to do');
  t.notMatch(told, /not connected|destructure|undefined|EMFILE/);
  t.ok(existsSync(cwd));
  await until(async () => (await call()) === 'done', 'it takes calls again', 20_000);
});
