import t from 'tap';
import { ControlClient } from '../../lib/control/index.js';
import { PlaneProcesses } from '../support/plane-processes.js';
import { shellManifest } from '../support/test-node.js';
import {
  ConsoleBrowser,
  consoleLink,
  jsonEditor,
  textIn,
  putText,
  withoutBrowser,
} from '../support/console.js';
import { readFileSync } from 'node:fs';

t.setTimeout(180_000);

t.test(
  '[P] a page outlives a plane that is killed: it says so, comes back in its session, and keeps what was typed',
  { skip: withoutBrowser, timeout: 300_000 },
  async (t) => {
    const plane = await PlaneProcesses.start(t);
    const asAdmin = async <Answer>(work: (client: ControlClient) => Promise<Answer>): Promise<Answer> => {
      const token = readFileSync(plane.tokenFile('admin'), 'utf8').trim();
      const client = new ControlClient({ url: plane.url, token }).start();
      try {
        await client.ready();
        return await work(client);
      } finally {
        client.close();
      }
    };
    const invite = await asAdmin((client) => client.request('node_invite_create', {}));
    const node = plane.node('lab', [
      shellManifest('greet', 'cat', {
        schema: { input: { type: 'object', properties: { text: { type: 'string' } } } },
      }),
    ]);
    node.start(invite.invite_token);
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(await asAdmin((client) => consoleLink(client, plane.url)));
    await page.getByRole('link', { name: /greet/ }).click();
    const editor = await jsonEditor(page, 'Request, as JSON');
    await putText(editor, '{"text": "typed before"}');

    await plane.control.end('SIGKILL');
    await page.getByText('connection lost', { exact: false }).waitFor();
    await putText(editor, '{"text": "typed meanwhile"}');
    await plane.startControl();
    await page.getByRole('status').getByText('connected', { exact: false }).waitFor();
    t.equal(await textIn(editor), '{"text": "typed meanwhile"}');

    // The node comes back by itself as well; a new manifest is shown without anything being loaded anew.
    node.write(shellManifest('second', 'cat'));
    await page.getByRole('link', { name: 'Services' }).first().click();
    await page.getByRole('link', { name: /second/ }).waitFor();
    await page.getByRole('link', { name: /greet/ }).click();
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.getByLabel('Reply').waitFor();
  },
);
