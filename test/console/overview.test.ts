import t, { type Test } from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { ConsoleBrowser, consoleLink, withoutBrowser } from '../support/console.js';

t.setTimeout(180_000);

const service = (id: string, more: Record<string, unknown> = {}): Record<string, never> =>
  ({
    service_id: id,
    kind: 'test',
    runtime: { type: 'native_proc', executable_path: '/bin/cat' },
    permissions: { allow_roles: ['admin', 'user'] },
    ...more,
  }) as never;

async function started(t: Test): Promise<{ under: PlaneWithNode; browser: ConsoleBrowser }> {
  const manifests = [
    service('echo', { help_md: '# Echo\n\nSays it again.', labels: { room: 'lab' } }),
    service('sort', { kind: 'text' }),
    service('count', { kind: 'text' }),
  ];
  const under = await PlaneWithNode.start(t, 'here', manifests, 'admin', {}, { console: true });
  return { under, browser: await ConsoleBrowser.start(t) };
}

t.test('services are filtered by words, fields, labels and state', { skip: withoutBrowser }, async (t) => {
  const { under, browser } = await started(t);
  const page = await browser.signedIn(await consoleLink(under.admin, under.plane.url));
  const shown = async (): Promise<string[]> => page.locator('.row-service .name').allTextContents();
  const filter = page.getByRole('searchbox', { name: 'Filter' });
  const count = page.getByRole('search').getByRole('status');
  await count.getByText('3 services').waitFor();
  t.same(await shown(), ['count', 'echo', 'sort']);
  for (const [words, found] of [
    ['again', ['echo']],
    ['kind:text', ['count', 'sort']],
    ['kind:text so', ['sort']],
    ['label:room=lab', ['echo']],
    ['node:n1 ECHO', ['echo']],
    ['nothing-such', []],
  ] as const) {
    await filter.fill(words);
    await count
      .getByText(`${found.length} service${found.length === 1 ? '' : 's'}`, { exact: true })
      .waitFor();
    t.same(await shown(), found, words);
  }
  await page.getByText('Nothing matches the filter.').waitFor();
  await filter.fill('');
  await page.getByRole('combobox', { name: 'State' }).selectOption('offline');
  await count.getByText('0 services').waitFor();
  t.same(browser.complaints, []);
});

t.test(
  '[P] a change of policy takes a service from an open page of a user, and gives it back',
  { skip: withoutBrowser },
  async (t) => {
    const { under, browser } = await started(t);
    await under.admin.request('project_create', { project_id: 'web' });
    const token = under.plane.control.store.tokens.create({ role: 'user', projects: ['web'] }).token;
    const user = under.client({ token });
    await user.ready();
    const page = await browser.signedIn(await consoleLink(user, under.plane.url));
    const echo = page.getByRole('link', { name: /echo/ });
    await echo.waitFor();
    await under.admin.request('project_update', {
      project_id: 'web',
      access_policy: { actions: { invoke: 'deny', observe: 'deny' } },
    });
    await page.getByText('There is nothing that this session may see.').waitFor();
    t.equal(await echo.count(), 0);
    await under.admin.request('project_update', { project_id: 'web', access_policy: null });
    await echo.waitFor();
    t.same(browser.complaints, []);
  },
);

t.test('names and texts of others never become markup', { skip: withoutBrowser }, async (t) => {
  const attack = '<img src=x onerror=alert(1)><script>alert(2)</script>';
  const under = await PlaneWithNode.start(
    t,
    'here',
    [
      service('hostile', {
        kind: 'k',
        help_md: `# ${attack}\n\n${attack} is what it does.`,
        labels: { [attack]: attack },
      }),
    ],
    'admin',
    {},
    { console: true },
  );
  const browser = await ConsoleBrowser.start(t);
  const page = await browser.signedIn(await consoleLink(under.admin, under.plane.url));
  await page.getByText('onerror', { exact: false }).first().waitFor();
  t.equal(await page.locator('main img, main script').count(), 0);
  t.same(browser.complaints, []);
});
