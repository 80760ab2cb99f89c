import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest } from '../support/test-node.js';
import { ConsoleBrowser, consoleLink, withoutBrowser } from '../support/console.js';

t.setTimeout(180_000);

t.test(
  'admins let machines in, make and revoke tokens, and change policies',
  { skip: withoutBrowser },
  async (t) => {
    const under = await PlaneWithNode.start(
      t,
      'here',
      [shellManifest('greet', 'cat')],
      'admin',
      {},
      { console: true },
    );
    const { store } = under.plane.control;
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(await consoleLink(under.admin, under.plane.url), '#/access');
    const asked = store.pairing.request(
      { nodeName: 'lab', platform: {}, labels: {}, fsUrl: null },
      '127.0.0.1',
    );
    await page.getByRole('button', { name: 'Look again' }).click();
    await page.getByRole('button', { name: `Approve ${asked.verificationCode}` }).click();
    await page.getByRole('group', { name: 'Machines that ask to join' }).waitFor({ state: 'detached' });
    t.equal(store.pairing.pending().length, 0);

    await page.getByRole('textbox', { name: 'Agent' }).fill('ada');
    await page.getByRole('button', { name: 'Make a token' }).click();
    const shown = await page.locator('.once code').textContent();
    const made = store.tokens.verify(shown!)!.record;
    t.match(made, { role: 'user', agentId: 'ada' });
    await page.getByRole('button', { name: 'Hide it' }).click();
    t.equal(await page.getByText(shown!).count(), 0);
    await page.getByRole('button', { name: `Revoke ${made.tokenId}` }).click();
    await page.getByRole('row', { name: new RegExp(`${made.tokenId}.*revoked`) }).waitFor();
    t.equal(store.tokens.verify(shown!), undefined);

    await page.getByRole('textbox', { name: 'New project' }).fill('web');
    await page.getByRole('button', { name: 'Make a project' }).click();
    await page.getByRole('button', { name: 'Edit the policy of web' }).click();
    const policy = page.getByRole('textbox', { name: /Policy of web/ });
    await policy.fill('{"actions": ');
    await page.getByText('It is not JSON', { exact: false }).waitFor();
    t.ok(await page.getByRole('button', { name: 'Save the policy' }).isDisabled());
    await policy.fill('{"actions": {"invoke": "deny"}}');
    await page.getByRole('button', { name: 'Save the policy' }).click();
    await policy.waitFor({ state: 'detached' });
    t.same(store.projects.get('web')?.accessPolicy, { actions: { invoke: 'deny' } });
    await page.getByRole('row', { name: /project_update ok admin/ }).waitFor();

    const user = await browser.signedIn(await consoleLink(under.admin, under.plane.url, 'user'), '#/access');
    await user.getByText('This page is for admins.').waitFor();
    t.equal(await user.getByRole('link', { name: 'Access' }).count(), 0);
    t.same(browser.complaints, []);
  },
);

t.test(
  'the tree is walked and read, exports too; what could hold scripts is shown as text',
  { skip: withoutBrowser },
  async (t) => {
    const dir = t.testdir();
    mkdirSync(join(dir, 'work'));
    writeFileSync(
      join(dir, 'work', '<b>bold&.svg'),
      '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    );
    writeFileSync(join(dir, 'work', 'blob'), Buffer.from([0, 255, 0]));
    const under = await PlaneWithNode.start(
      t,
      'here',
      [shellManifest('greet', 'cat')],
      'admin',
      { exports: [{ name: 'work', path: join(dir, 'work'), readOnly: true }] },
      { console: true },
    );
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(await consoleLink(under.admin, under.plane.url), '#/files');
    for (const name of ['nodes/', 'n1/', 'fs/', 'work/', '<b>bold&.svg'])
      await page.locator('.files').getByRole('link', { name, exact: true }).click();
    await page.getByText('onload="alert(1)"', { exact: false }).waitFor();
    t.equal(await page.locator('main svg, main img, main b').count(), 0);
    await page.locator('.path').getByRole('link', { name: 'work' }).click();
    await page.locator('.files').getByRole('link', { name: 'blob', exact: true }).click();
    await page.getByText('It is no text.').waitFor();
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download' }).click();
    t.equal((await download).suggestedFilename(), 'blob');
    await page.evaluate('location.hash = "#/files/nodes/n1/services/greet/control/../../../no"');
    await page.getByRole('alert').waitFor();
    t.same(browser.complaints, []);
  },
);
