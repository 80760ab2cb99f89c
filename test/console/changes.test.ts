import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest } from '../support/test-node.js';
import {
  ATTACK,
  ConsoleBrowser,
  consoleLink,
  jsonEditor,
  putText,
  withoutBrowser,
} from '../support/console.js';

t.setTimeout(180_000);

t.test(
  'changes of services are a timeline, live; two versions are compared by field and by line',
  { skip: withoutBrowser },
  async (t) => {
    const manifests = [shellManifest('greet', 'cat', { help_md: '# Greet', version: '1' })];
    const under = await PlaneWithNode.start(t, 'through a tunnel', manifests, 'admin', {}, { console: true });
    const file = join(under.node.manifests, 'greet.json');
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(await consoleLink(under.admin, under.plane.url), '#/changes');
    const change = page.locator('.happening-change');
    await change.filter({ hasText: 'added' }).filter({ hasText: 'greet' }).waitFor();

    writeFileSync(
      file,
      JSON.stringify(shellManifest('greet', 'cat', { help_md: `# Greet\n\n${ATTACK}`, version: '2' })),
    );
    await change.filter({ hasText: 'updated' }).getByText('version 1 → 2').waitFor();
    await change.filter({ hasText: 'updated' }).locator('.fields').getByText('/help_md').waitFor();
    await change.filter({ hasText: 'updated' }).getByRole('link', { name: 'Diff' }).click();
    const fields = page.getByRole('group', { name: 'Fields that differ' });
    await fields.getByRole('row', { name: /\/help_md updated "# Greet"/ }).waitFor();
    await fields.getByText(ATTACK, { exact: false }).waitFor();
    const lines = page.getByRole('group', { name: 'Lines that differ' });
    t.match(
      await lines.locator('.diff-changed .diff-removed.diff-text').first().textContent(),
      /"version": "1"/,
    );
    t.match(
      await lines.locator('.diff-changed .diff-added.diff-text').first().textContent(),
      /"version": "2"/,
    );

    // Of what the page shows there is a link; whoever opens it sees the same.
    const address = await page.evaluate<string>('location.hash');
    const other = await browser.signedIn(await consoleLink(under.admin, under.plane.url), address);
    await other
      .getByRole('group', { name: 'Fields that differ' })
      .getByRole('row', { name: /\/help_md/ })
      .waitFor();

    rmSync(file);
    await page.getByRole('link', { name: 'Changes', exact: true }).first().click();
    await change.filter({ hasText: 'removed' }).filter({ hasText: 'greet' }).waitFor();
    await page.getByRole('searchbox', { name: 'Filter' }).fill('removed');
    t.equal(await change.count(), 1);
    await page.getByRole('searchbox', { name: 'Filter' }).fill('no-such-thing');
    await page.getByText('0 shown').waitFor();
    t.equal(await page.locator('main img').count(), 0);
    t.same(browser.complaints, []);
  },
);

t.test(
  'users see the changes of what they may see, and of nothing else',
  { skip: withoutBrowser },
  async (t) => {
    const manifests = [
      shellManifest('greet', 'cat'),
      shellManifest('closed', 'cat', { permissions: { allow_roles: ['admin'] } }),
    ];
    const under = await PlaneWithNode.start(t, 'here', manifests, 'admin', {}, { console: true });
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(await consoleLink(under.admin, under.plane.url, 'user'), '#/changes');
    await page.locator('.happening').filter({ hasText: 'greet' }).waitFor();
    t.equal(await page.locator('.happening').filter({ hasText: 'closed' }).count(), 0);
    t.equal(await page.locator('.happening-reload').count(), 0);
    t.equal(await page.getByRole('link', { name: 'Try a manifest' }).count(), 0);
    await page.evaluate('location.hash = "#/changes/diff/n1/closed"');
    await page
      .getByText('None that this session may see', { exact: false })
      .or(page.getByText('No version of it'))
      .waitFor();
    t.same(browser.complaints, []);
  },
);

t.test(
  'a manifest that was broken on disk is shown at its fault, beside what runs; once it is mended, the diff that went live',
  { skip: withoutBrowser },
  async (t) => {
    const manifest = shellManifest('greet', 'cat', { version: '1', help_md: '# Greet' });
    const under = await PlaneWithNode.start(t, 'here', [manifest], 'admin', {}, { console: true });
    const file = join(under.node.manifests, 'greet.json');
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(await consoleLink(under.admin, under.plane.url), '#/changes');
    await page.locator('.happening-change').filter({ hasText: 'greet' }).waitFor();

    const broken = {
      ...manifest,
      version: '2',
      help_md: ATTACK,
      runtime: { type: 'native_proc', timeout_ms: ATTACK },
    };
    writeFileSync(file, JSON.stringify(broken, null, 2));
    const reload = page.locator('.happening-reload').filter({ hasText: /\d faults?/ });
    await reload.filter({ hasText: 'greet' }).getByRole('link', { name: 'Report' }).click();
    const report = page.getByRole('article', { name: file });
    await report.getByText('refused, the older one runs on').waitFor();
    const excerpt = report.locator('.excerpt').first();
    const [line, caret] = (await excerpt.textContent())!.split('\n') as [string, string];
    t.match(line, /^\d+ │ .*"timeout_ms": "<img/);
    t.equal(
      caret.indexOf('^'),
      line.indexOf(JSON.stringify(ATTACK)),
      'the caret is below the value at fault',
    );
    await report.locator('.expected').first().waitFor();
    t.match(await report.locator('.running').textContent(), /"version": "1"/, 'beside what runs');
    t.equal(await page.locator('main img').count(), 0);

    await report.getByRole('link', { name: 'Try a mended manifest' }).click();
    const editor = await jsonEditor(page, 'Manifest, as JSON');
    t.equal(await page.getByRole('textbox', { name: 'File' }).inputValue(), file);
    const ask = page.getByRole('button', { name: 'What would it do?' });
    await putText(editor, JSON.stringify(broken, null, 2));
    await ask.click();
    await page.getByRole('heading', { name: '1 fault' }).waitFor();
    const mended = { ...manifest, version: '3', help_md: `# Greet\n\n${ATTACK}` };
    await putText(editor, JSON.stringify(mended, null, 2));
    await page.getByText('The manifest was edited since').waitFor();
    await ask.click();
    await page.getByRole('heading', { name: '1 change' }).waitFor();
    const planned = page.getByRole('article', { name: file });
    await planned.locator('.fields').getByText('/version').waitFor();
    await planned.locator('.diff-added.diff-text').getByText(ATTACK, { exact: false }).waitFor();
    t.equal(
      under.plane.control.store.nodes.get('n1')?.services.get('greet')?.descriptor['version'],
      '1',
      'nothing was saved',
    );

    await page.evaluate('history.go(-2)');
    await page.locator('.happening-change').first().waitFor();
    writeFileSync(file, JSON.stringify(mended, null, 2));
    await page.locator('.happening-change').getByText('version 1 → 3').waitFor();
    await page
      .locator('.happening-change')
      .filter({ hasText: '1 → 3' })
      .getByRole('link', { name: 'Diff' })
      .click();
    const fields = page.getByRole('group', { name: 'Fields that differ' });
    await fields.getByRole('row', { name: /\/version updated "1" "3"/ }).waitFor();
    t.equal(await page.locator('main img').count(), 0);

    const old = await browser.signedIn(
      await consoleLink(under.admin, under.plane.url),
      '#/changes/reload/n1/2',
    );
    const ran = old.getByRole('article', { name: file }).locator('.running');
    t.match(await ran.textContent(), /"version": "1"/, 'an old report shows what ran then');
    t.same(browser.complaints, []);
  },
);
