import t from 'tap';
import { fixture } from '../support/drivers.js';
import { ConsoleBrowser, consoleLink, jsonEditor, putText, withoutBrowser } from '../support/console.js';
import { PlaneWithNode } from '../support/plane-with-node.js';

t.setTimeout(180_000);

const MANY = {
  service_id: 'many',
  kind: 'mcp',
  permissions: { allow_roles: ['admin', 'user'] },
  runtime: {
    type: 'mcp',
    command: process.execPath,
    args: [fixture('many-mcp.mjs')],
    elicitation: true,
  },
};

/** How long nothing happens, and nothing must be asked. */
const QUIET_MS = 1000;

t.test(
  'what a service asks during a call appears by itself, and is answered or declined',
  { skip: withoutBrowser },
  async (t) => {
    const under = await PlaneWithNode.start(t, 'through a tunnel', [MANY], 'admin', {}, { console: true });
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.page();
    const sent: string[] = [];
    page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(String(payload))));
    await page.goto(await consoleLink(under.admin, under.plane.url));
    await page.getByRole('link', { name: 'many.act' }).first().waitFor();
    await page.evaluate('location.hash = "#/services/n1/many.act"');
    const question = page.getByRole('group', { name: 'Question of the service' });
    const ask = async (): Promise<void> => {
      await putText(await jsonEditor(page, 'Request, as JSON'), '{"do":"ask"}');
      await page.getByRole('button', { name: 'Call', exact: true }).click();
      await question.waitFor();
    };

    await ask();
    t.match(await question.textContent(), /Who\?/);
    t.ok(await question.getByRole('button', { name: 'Answer' }).isDisabled(), 'the name is required');
    const before = sent.length;
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const asked = sent.slice(before).filter((frame) => /t_fs_(read|open|lookup|getattr)/.test(frame));
    t.same(asked, [], 'it waits, and does not look');
    await question.getByLabel('name').fill('Ada');
    await question.getByRole('button', { name: 'Answer' }).click();
    await question.waitFor({ state: 'detached' });
    await page.getByLabel('Reply', { exact: true }).getByText('"Ada"').waitFor();

    await ask();
    await question.getByRole('button', { name: 'Decline' }).click();
    await question.waitFor({ state: 'detached' });
    await page.getByLabel('Reply', { exact: true }).getByText('decline').waitFor();
    t.same(browser.complaints, []);
  },
);
