import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest } from '../support/test-node.js';
import { ConsoleBrowser, consoleLink, withoutBrowser } from '../support/console.js';

t.setTimeout(180_000);

const SCRIPT = `
echo '::progress {"done": 1, "total": 4, "message": "begun <b>x</b>"}' >&2
echo first >&2
until [ -e "$DIR/go" ]; do sleep 0.05; done
echo '::progress {"done": 3, "total": 4, "message": "nearly"}' >&2
echo second >&2
until [ -e "$DIR/end" ]; do sleep 0.05; done`;

/** How long nothing happens, and nothing must be asked. */
const QUIET_MS = 1500;

for (const joined of ['here', 'through a tunnel'] as const)
  t.test(
    `a job's progress and output come as they are made, and nothing is asked meanwhile; the node is ${joined}`,
    { skip: withoutBrowser },
    async (t) => {
      const dir = t.testdir();
      const more = { runtime: { timeout_ms: 100_000, env: { DIR: dir } } };
      const manifests = [shellManifest('steps', SCRIPT, more)];
      const under = await PlaneWithNode.start(t, joined, manifests, 'admin', {}, { console: true });
      const browser = await ConsoleBrowser.start(t);
      const page = await browser.page();
      const sent: string[] = [];
      page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(String(payload))));
      await page.goto(await consoleLink(under.admin, under.plane.url));
      await page.getByText('connected', { exact: false }).first().waitFor();
      await page.evaluate('location.hash = "#/services/n1/steps"');
      await page.getByRole('button', { name: 'Call', exact: true }).click();
      const stderr = page.getByLabel('stderr', { exact: true });
      const bar = page.getByRole('progressbar', { name: 'Progress' });
      await stderr.getByText('first').waitFor();
      await page.getByText('begun <b>x</b>').waitFor();
      t.equal(await bar.getAttribute('value'), '0.25');
      t.notMatch(await stderr.textContent(), /::progress/);

      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      const before = sent.length;
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      const asked = sent.slice(before).filter((frame) => /t_fs_(read|open|lookup|getattr)/.test(frame));
      t.same(asked, [], 'it waits, and does not look');

      writeFileSync(join(dir, 'go'), '');
      await stderr.getByText('second').waitFor();
      await page.getByText('nearly').waitFor();
      t.equal(await bar.getAttribute('value'), '0.75');
      writeFileSync(join(dir, 'end'), '');
      await page.getByRole('button', { name: 'Cancel this job' }).waitFor({ state: 'detached' });
      t.equal(await bar.getAttribute('value'), '0.75', 'as it was last');
      t.same(browser.complaints, []);
    },
  );
