import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest } from '../support/test-node.js';
import { ConsoleBrowser, consoleLink, withoutBrowser } from '../support/console.js';

t.setTimeout(180_000);

const ATTACK = '<img src=x onerror=alert(1)>';

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
    await page.getByText('1 shown').waitFor();
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
