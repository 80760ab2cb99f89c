import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { acheron } from '../support/acheron.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { noPostgres, PostgresServer } from '../support/postgres.js';
import { ReplicaProcess } from '../support/replica-processes.js';
import { shellManifest } from '../support/test-node.js';
import { ConsoleBrowser, consoleLink, jsonEditor, putText, withoutBrowser } from '../support/console.js';

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
    await page.locator('[aria-labelledby=pairing]').getByText('None.').waitFor();
    const asked = store.pairing.request(
      { nodeName: 'lab', platform: {}, labels: {}, fsUrl: null },
      '127.0.0.1',
    );
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
    const policy = await jsonEditor(page, /Policy of web/);
    await putText(policy, '{"actions": ');
    await page.getByText('It is not JSON', { exact: false }).waitFor();
    t.ok(await page.getByRole('button', { name: 'Save the policy' }).isDisabled());
    await putText(policy, '{"actions": {"invoke": "never"}}');
    await page.locator('#policy-faults').getByText('/actions/invoke').waitFor();
    await putText(policy, '{"actions": {"invoke": "deny"}}');
    await page.getByRole('button', { name: 'Save the policy' }).click();
    await policy.waitFor({ state: 'detached' });
    t.same(store.projects.get('web')?.accessPolicy, { actions: { invoke: 'deny' } });
    const audit = page.locator('[aria-labelledby=audit]');
    await audit.getByRole('button', { name: 'Look again' }).click();
    await page.getByRole('row', { name: /project_update ok admin/ }).waitFor();
    await audit.getByRole('combobox', { name: 'Act' }).selectOption('token_create');
    await page.getByRole('row', { name: /project_update ok admin/ }).waitFor({ state: 'detached' });
    await page
      .getByRole('row', { name: /token_create ok admin/ })
      .first()
      .waitFor();
    await audit.getByRole('searchbox').fill('no-such-word');
    await audit.getByText('0 of the newest', { exact: false }).waitFor();

    const user = await browser.signedIn(await consoleLink(under.admin, under.plane.url, 'user'), '#/access');
    await user.getByText('This page is for admins.').waitFor();
    t.equal(await user.getByRole('link', { name: 'Access' }).count(), 0);
    t.same(browser.complaints, []);
  },
);

t.test(
  'who may do what to a service is a matrix, decided as everywhere, with the rule of each field',
  { skip: withoutBrowser },
  async (t) => {
    const manifests = [
      shellManifest('greet', 'cat'),
      shellManifest('closed', 'cat', { permissions: { allow_roles: ['admin'] } }),
    ];
    const under = await PlaneWithNode.start(t, 'here', manifests, 'admin', {}, { console: true });
    await under.admin.request('project_create', {
      project_id: 'web',
      access_policy: { actions: { invoke: 'deny', observe: 'open' }, agents: { ada: { invoke: 'open' } } },
    });
    under.token('user', 'ada');
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(await consoleLink(under.admin, under.plane.url), '#/access');
    const service = page.getByRole('combobox', { name: 'Service, as node/service' });
    await service.fill('n1/greet');
    const field = (who: string, action: string, may: string) =>
      page.getByRole('button', { name: `${who}, ${action}: ${may}`, exact: true });
    await field('user', 'invoke', 'allowed').waitFor();
    await field('user', 'control', 'denied').click();
    await page.locator('.rule').getByText('control-admin-only').waitFor();
    await field('user in web', 'observe', 'allowed').waitFor();
    await field('agent ada in web', 'invoke', 'allowed').waitFor();
    await field('user in web', 'invoke', 'denied').click();
    await page.locator('.rule').getByText('project-mode').waitFor();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    await page.locator('.rule').getByText('user in web, write:', { exact: false }).waitFor();
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.locator('.rule').getByText('user, write:', { exact: false }).waitFor();

    await under.admin.request('project_update', { project_id: 'web', access_policy: null });
    await field('user in web', 'invoke', 'allowed').waitFor();
    await service.fill('n1/closed');
    await field('user', 'invoke', 'denied').click();
    await page.locator('.rule').getByText('permissions-roles').waitFor();
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

t.test(
  'admins see each control plane over one store, as they come and go',
  { skip: withoutBrowser || noPostgres },
  async (t) => {
    const store = PostgresServer.url(await PostgresServer.primary(t));
    const [first, other] = [await ReplicaProcess.start(t, store), await ReplicaProcess.start(t, store)];
    const admin = first.client(first.token('admin'));
    t.teardown(() => admin.close());
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(await consoleLink(admin, first.url), '#/replicas');
    await page.getByText('Store: postgresql at', { exact: false }).waitFor();
    const row = (text: string): ReturnType<typeof page.getByRole> =>
      page.getByRole('row', { name: new RegExp(text) });
    await row(`this one.*${first.url} .* s 0`).waitFor();
    await row(other.url).waitFor();
    await other.program.end('SIGKILL');
    await row(other.url).waitFor({ state: 'detached' });
    t.equal(await row(first.url).count(), 1);
    t.same(browser.complaints, []);
    const { stdout } = await acheron([
      'status',
      '--control-url',
      first.url,
      '--token-file',
      join(first.stateDir, 'admin.token'),
    ]);
    t.match(stdout, /REPLICA +ADDRESS +VERSION +BEHIND +LEASE +NODES/);
    t.match(stdout, new RegExp(`\\(this one\\) +${first.url} .* s +0`));
  },
);
