import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';
import { ConsoleBrowser, consoleLink, withoutBrowser } from '../support/console.js';

t.setTimeout(240_000);

interface Shown {
  readonly route: string;
  readonly heading: RegExp;
  /** What is there once all of it is shown. */
  readonly ready?: (page: Page) => Promise<unknown>;
}

const PAGES: readonly Shown[] = [
  { route: '#/services', heading: /^Services$/ },
  {
    route: '#/services/n1/greet',
    heading: /greet/,
    ready: async (page) => {
      await page.getByRole('button', { name: 'Call', exact: true }).click();
      await page.getByLabel('Reply').first().waitFor();
      await page.locator('.plot canvas').nth(2).waitFor();
      await page.locator('.cm-content').nth(1).waitFor();
    },
  },
  {
    route: '#/services/n1/terminal-main',
    heading: /terminal-main/,
    ready: async (page) => {
      await page.getByRole('textbox', { name: 'Command' }).fill('uname; ls /nowhere');
      await page.getByRole('button', { name: 'Run' }).click();
      await page.getByText('✕ exit').first().waitFor();
    },
  },
  { route: '#/changes', heading: /^Changes$/, ready: (page) => page.locator('.happening').first().waitFor() },
  {
    route: '#/changes/diff/n1/greet',
    heading: /greet/,
    ready: (page) => page.locator('.diff').waitFor(),
  },
  {
    route: '#/changes/reload/n1/2',
    heading: /reload 2/,
    ready: (page) => page.locator('.excerpt').first().waitFor(),
  },
  {
    route: '#/changes/plan',
    heading: /plan/,
    ready: async (page) => {
      await page.locator('.cm-content').waitFor();
      await page.locator('.cm-lintRange-error').first().waitFor();
    },
  },
  { route: '#/files', heading: /Files/ },
  {
    route: '#/files/nodes/n1/services/greet/README.md',
    heading: /README/,
    ready: (page) => page.getByLabel('README.md', { exact: true }).waitFor(),
  },
  {
    route: '#/access',
    heading: /^Access$/,
    ready: async (page) => {
      await page.getByRole('combobox', { name: 'Service, as node/service' }).fill('n1/greet');
      await page.getByRole('button', { name: 'user, control: denied', exact: true }).click();
      await page.getByRole('button', { name: 'Edit the policy of web' }).click();
      await page.locator('.cm-content').waitFor();
    },
  },
];

/** What a theme can break. */
const COLOURS = { runOnly: ['color-contrast', 'link-in-text-block'] };
/** What the width of a screen can break. */
const PLACES = { runOnly: ['target-size', 'scrollable-region-focusable', 'region'] };

/** How each page is looked at; all rules hold on a narrow screen and on a wide one. */
const VIEWS = [
  { colorScheme: 'light', width: 360, rules: {} },
  { colorScheme: 'dark', width: 360, rules: COLOURS },
  { colorScheme: 'dark', width: 1440, rules: {} },
  { colorScheme: 'light', width: 1440, rules: COLOURS },
  { colorScheme: 'light', width: 3840, rules: PLACES },
] as const;

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

t.test(
  'every page passes axe in both themes, on a narrow screen and on wide ones',
  { skip: withoutBrowser, timeout: 180_000 },
  async (t) => {
    const manifest = shellManifest('greet', 'cat', {
      help_md: '# Greet\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n    code\n\n- one\n- two',
      schema: {
        input: { type: 'object', properties: { text: { type: 'string' }, deep: { type: 'object' } } },
      },
    });
    const under = await PlaneWithNode.start(
      t,
      'here',
      [manifest],
      'admin',
      { terminals: ['main'] },
      { console: true },
    );
    const faulty = { ...manifest, version: '3', runtime: { type: 'native_proc', timeout_ms: 'soon' } };
    const reports = under.plane.control.store.reloads;
    writeFileSync(join(under.node.manifests, 'greet.json'), JSON.stringify(faulty, null, 2));
    await until(() => reports.get('n1', 2) !== undefined, 'the report on the fault');
    writeFileSync(join(under.node.manifests, 'greet.json'), JSON.stringify({ ...manifest, version: '2' }));
    await under.admin.request('project_create', { project_id: 'web' });
    await under.admin.request('node_invite_create', {});
    const browser = await ConsoleBrowser.start(t);
    const link = await consoleLink(under.admin, under.plane.url);
    // The page's own policy lets nothing in, the checker as little as an attack.
    const page = await browser.signedIn(link, '', { bypassCSP: true, viewport: { width: 360, height: 800 } });
    await page.evaluate(axe.source);
    for (const [at, { route, heading, ready }] of PAGES.entries()) {
      await page.evaluate(`location.hash = ${JSON.stringify(route)}`);
      await page.getByRole('heading', { level: 1, name: heading }).waitFor();
      await ready?.(page);
      for (const { colorScheme, width, rules } of VIEWS) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        await page.evaluate(
          'new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))',
        );
        const violations = await page.evaluate<Violation[]>(
          `axe.run(document, ${JSON.stringify(rules)}).then(({ violations }) => violations)`,
        );
        t.same(
          violations.map(({ id, nodes }) => [id, nodes[0]?.html, nodes[0]?.failureSummary]),
          [],
          `${route} ${colorScheme} ${width}`,
        );
        const wide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
        t.ok(wide <= 0, `nothing is wider than the screen: ${route} ${width}`);
        const shots = process.env['CONSOLE_SHOTS'];
        if (shots === undefined) continue;
        await page.setViewportSize({ width, height: 2000 });
        await page.screenshot({ path: `${shots}/${at}-${colorScheme}-${width}.png` });
      }
    }
  },
);
