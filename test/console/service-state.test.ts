import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest } from '../support/test-node.js';
import {
  ATTACK,
  ConsoleBrowser,
  consoleLink,
  jsonEditor,
  textIn,
  putText,
  withoutBrowser,
} from '../support/console.js';

t.setTimeout(180_000);

t.test(
  'health shows what happened and why, metrics what was counted and how it went, as it happens',
  { skip: withoutBrowser },
  async (t) => {
    const dir = t.testdir();
    const manifest = shellManifest('greet', 'cat', {
      runtime: {
        probe: {
          type: 'exec',
          command: ['/bin/sh', '-c', `cat "${dir}/ill" 2>/dev/null && exit 2; exit 0`],
          interval_ms: 100,
          healthy_after: 1,
          unhealthy_after: 1,
        },
      },
    });
    const under = await PlaneWithNode.start(t, 'here', [manifest], 'admin', {}, { console: true });
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(
      await consoleLink(under.admin, under.plane.url),
      '#/services/n1/greet',
    );
    const plot = page.locator('.plot');
    await plot.nth(2).locator('canvas').waitFor();
    t.equal(await plot.count(), 3);
    for (let calls = 1; calls <= 2; calls++) {
      await page.getByRole('button', { name: 'Call', exact: true }).click();
      await page
        .locator('.jobs-list button')
        .nth(calls - 1)
        .waitFor();
      await page.locator('.job').getByText('ok').first().waitFor();
    }
    await page.locator('[aria-labelledby=metrics] .totals').getByText('2', { exact: true }).waitFor();
    t.match(await plot.first().locator('figcaption').textContent(), /p50 [\d.]+ ms/, 'the newest, as text');

    writeFileSync(join(dir, 'ill'), ATTACK);
    const changes = page.getByRole('group', { name: 'Changes of health' });
    await changes.getByText('online →', { exact: false }).first().waitFor();
    await changes.getByText(ATTACK, { exact: false }).first().waitFor();
    await page.getByRole('button', { name: 'Disable' }).click();
    await changes.getByText('disable', { exact: true }).waitFor();

    const later = await browser.signedIn(
      await consoleLink(under.admin, under.plane.url),
      '#/services/n1/greet',
    );
    await later
      .getByRole('group', { name: 'Changes of health' })
      .getByText('online →', { exact: false })
      .first()
      .waitFor();
    t.equal(await page.locator('main img').count(), 0);
    t.same(browser.complaints, []);
  },
);

t.test(
  'the config is changed where the session may, checked before it is sent, and never over what was not seen',
  { skip: withoutBrowser },
  async (t) => {
    const manifests = [shellManifest('greet', 'cat')];
    const under = await PlaneWithNode.start(t, 'here', manifests, 'admin', {}, { console: true });
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(
      await consoleLink(under.admin, under.plane.url),
      '#/services/n1/greet',
    );
    const editor = await jsonEditor(page, 'Config, as JSON');
    const save = page.getByRole('button', { name: 'Save the config' });
    t.ok(await save.isDisabled(), 'nothing was changed');
    await putText(editor, '{"supervision": {"cooldown_ms": -1}}');
    await page.locator('#config-text-faults').getByText('/supervision/cooldown_ms').waitFor();
    t.ok(await save.isDisabled());
    await putText(editor, '{"supervision": {"cooldown_ms": 5}, "mine": 1}');
    const other = await browser.signedIn(
      await consoleLink(under.admin, under.plane.url),
      '#/services/n1/greet',
    );
    await putText(await jsonEditor(other, 'Config, as JSON'), '{"theirs": 2}');
    await other.getByRole('button', { name: 'Save the config' }).click();
    await page.getByText('changed meanwhile', { exact: false }).waitFor();
    t.match(await textIn(editor), '"mine": 1', 'what was typed stays');
    await save.click();
    await page.getByText('changed meanwhile', { exact: false }).waitFor({ state: 'detached' });
    await other.getByText('"mine"', { exact: false }).waitFor();
    t.ok(await save.isDisabled());

    const user = await browser.signedIn(
      await consoleLink(under.admin, under.plane.url, 'user'),
      '#/services/n1/greet',
    );
    await user.getByRole('heading', { name: 'Metrics' }).waitFor();
    t.equal(await user.getByRole('heading', { name: 'Config' }).count(), 0);
    t.same(browser.complaints, []);
  },
);

t.test(
  'a request is sent again with its key, and does not run again',
  { skip: withoutBrowser },
  async (t) => {
    const dir = t.testdir();
    const manifests = [shellManifest('once', `echo x >> "${dir}/ran"; cat`)];
    const under = await PlaneWithNode.start(t, 'here', manifests, 'admin', {}, { console: true });
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(
      await consoleLink(under.admin, under.plane.url),
      '#/services/n1/once',
    );
    const editor = await jsonEditor(page, 'Request, as JSON');
    const call = page.getByRole('button', { name: 'Call', exact: true });
    await putText(editor, '{"_key": "order-1", "n": 1}');
    await call.click();
    await page.getByLabel('Reply').getByText('"n": 1', { exact: false }).waitFor();
    await putText(editor, '{"n": 2}');
    await call.click();
    await page.getByLabel('Reply').getByText('"n": 2', { exact: false }).waitFor();
    await page.locator('.jobs-list button').nth(1).click();
    await page.getByText('Sent again with the key', { exact: false }).waitFor();
    await page.getByRole('button', { name: 'Take its request into the form' }).click();
    await page.locator('.cm-content').getByText('"order-1"').waitFor();
    await call.click();
    await page.getByLabel('Reply').getByText('"n": 1', { exact: false }).waitFor();
    t.equal(await page.locator('.jobs-list button').count(), 2);
    t.same(browser.complaints, []);
  },
);

t.test(
  'a terminal runs commands, shows what they print as it comes, and recalls those before',
  { skip: withoutBrowser },
  async (t) => {
    const dir = t.testdir();
    mkdirSync(join(dir, 'there'));
    const under = await PlaneWithNode.start(
      t,
      'here',
      [shellManifest('greet', 'cat')],
      'admin',
      { terminals: ['main'] },
      { console: true },
    );
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(
      await consoleLink(under.admin, under.plane.url),
      '#/services/n1/terminal-main',
    );
    const line = page.getByRole('textbox', { name: 'Command' });
    await page.getByRole('textbox', { name: 'Where' }).fill(join(dir, 'there'));
    await line.fill(`pwd; until [ -e go ]; do sleep 0.05; done; echo '${ATTACK}' >&2; exit 3`);
    await line.press('Enter');
    const ran = page.locator('.terminal article').first();
    await ran.getByText('/there').first().waitFor();
    t.equal(await ran.getByText('✕ exit 3').count(), 0, 'it runs on');
    writeFileSync(join(dir, 'there', 'go'), '');
    await ran.getByText('✕ exit 3').waitFor();
    await ran.getByLabel('stderr', { exact: true }).getByText(ATTACK).waitFor();
    await line.fill('echo second');
    await line.press('Enter');
    await page.locator('.terminal article').nth(1).waitFor();
    await ran.getByLabel('stdout', { exact: true }).getByText('second').waitFor();
    await line.press('ArrowUp');
    t.equal(await line.inputValue(), 'echo second');
    await line.press('ArrowUp');
    t.match(await line.inputValue(), /^pwd;/);
    t.equal(await page.locator('main img').count(), 0);
    t.same(browser.complaints, []);
  },
);
