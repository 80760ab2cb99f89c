import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Page } from 'playwright-core';
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

const ATTACKS = `${ATTACK}<a href="javascript:alert(2)">x</a>`;

const MANIFESTS = [
  shellManifest('greet', 'cat', {
    help_md: `# Greet\n\nSays **it** again. ${ATTACKS} [bad](javascript:alert(3)) [good](https://example.org/x)`,
    schema: {
      input: {
        type: 'object',
        required: ['text'],
        properties: {
          text: { type: 'string', description: ATTACKS },
          times: { type: 'integer', minimum: 1 },
          loud: { type: 'boolean' },
        },
        additionalProperties: false,
      },
    },
    invoke_template: { text: 'hello' },
  }),
  // It goes on until it is asked to end: each line is there before the next is asked for.
  shellManifest(
    'slow',
    `printf '\\033[31mred\\033[0m \\033]0;title\\007${ATTACKS}\\n' >&2; while [ ! -e "$TMPDIR/go" ]; do sleep 0.05; done; echo second >&2; sleep 60`,
    { runtime: { timeout_ms: 100_000, env: { TMPDIR: '@DIR@' } } },
  ),
  shellManifest('fails', `echo '${ATTACKS}' >&2; exit 3`),
];

interface Started {
  readonly under: PlaneWithNode;
  readonly browser: ConsoleBrowser;
  readonly page: Page;
}

async function started(
  t: Test,
  service: string,
  joined: 'here' | 'through a tunnel' = 'here',
): Promise<Started> {
  const dir = t.testdir();
  const manifests = JSON.parse(JSON.stringify(MANIFESTS).replaceAll('@DIR@', dir)) as typeof MANIFESTS;
  const under = await PlaneWithNode.start(t, joined, manifests, 'admin', {}, { console: true });
  const browser = await ConsoleBrowser.start(t);
  const page = await browser.signedIn(
    await consoleLink(under.admin, under.plane.url),
    `#/services/n1/${service}`,
  );
  await page.getByRole('button', { name: 'Call', exact: true }).waitFor();
  return { under, browser, page };
}

const call = (page: Page): Promise<void> => page.getByRole('button', { name: 'Call', exact: true }).click();
const reply = (page: Page, text: string): Promise<void> =>
  page.getByLabel('Reply').getByText(text, { exact: false }).waitFor();

t.test(
  'a call by form, and by editor; a fault shows at its field before anything is sent',
  { skip: withoutBrowser },
  async (t) => {
    const { page, browser } = await started(t, 'greet');
    const text = page.getByRole('textbox', { name: /^text/ });
    const editor = await jsonEditor(page, 'Request, as JSON');
    t.equal(await text.inputValue(), 'hello', 'the template');
    await text.fill('by form');
    t.match(await textIn(editor), '"text": "by form"');
    await call(page);
    await reply(page, '"text": "by form"');

    await putText(editor, '{"text": "by editor", "times": 2}');
    t.equal(await text.inputValue(), 'by editor');
    t.equal(await page.getByRole('textbox', { name: 'times' }).inputValue(), '2');
    await call(page);
    await reply(page, '"text": "by editor"');

    const button = page.getByRole('button', { name: 'Call', exact: true });
    await page.getByRole('textbox', { name: 'times' }).fill('0');
    await page.locator('#field-times-wrong').waitFor();
    t.ok(await button.isDisabled(), 'a number that is too small');
    await putText(editor, '{"text": oops}');
    await page.locator('#request-faults').getByText('It is not JSON').waitFor();
    t.ok(await button.isDisabled(), 'no JSON');
    await putText(editor, '{"text": "x", "other": 1}');
    await page.locator('#request-faults li').first().waitFor();
    t.ok(await button.isDisabled(), 'an unknown field');

    await putText(editor, '{"text": "once"}');
    await page.getByRole('textbox', { name: 'Key' }).fill('order-17');
    t.match(await textIn(editor), '"_key": "order-17"');
    await call(page);
    await reply(page, '"text": "once"');
    const jobs = await page.locator('.jobs-list button').count();
    await call(page);
    await button.isEnabled();
    t.equal(await page.locator('.jobs-list button').count(), jobs, 'the same key and request run once');

    await page.getByText('The same call from a program').click();
    t.match(
      await page.getByLabel('Shell call').textContent(),
      /acheron invoke n1\/greet '\{"_key":"order-17"/,
    );
    t.same(browser.complaints, []);
  },
);

t.test(
  'output comes while the driver runs, in its colours, and a cancel ends it',
  { skip: withoutBrowser },
  async (t) => {
    const { page, browser } = await started(t, 'slow', 'through a tunnel');
    await call(page);
    const stderr = page.getByLabel('stderr', { exact: true });
    await stderr.getByText('red', { exact: true }).waitFor();
    t.equal(await stderr.locator('.ansi-red').textContent(), 'red');
    t.match(await stderr.textContent(), `red ${ATTACKS}`, 'nothing else of what a terminal obeys');
    t.equal(await stderr.getByText('second').count(), 0);
    writeFileSync(join(t.testdirName, 'go'), '');
    await stderr.getByText('second').waitFor();
    await page.getByRole('button', { name: 'Cancel this job' }).click();
    await page.locator('.job').getByText('cancelled', { exact: false }).first().waitFor();
    t.equal(await page.locator('.job img').count(), 0);
    t.same(browser.complaints, []);
  },
);

t.test('[P] what others write is text, and links are what they say', { skip: withoutBrowser }, async (t) => {
  const { page, browser } = await started(t, 'greet');
  await page.locator('.readme').getByText('onerror', { exact: false }).waitFor();
  t.equal(await page.locator('main img, main script').count(), 0);
  t.same(await page.evaluate("[...document.querySelectorAll('.readme a')].map(({ href }) => href)"), [
    'https://example.org/x',
  ]);
  await page.evaluate('location.hash = "#/services/n1/fails"');
  await page.getByRole('heading', { name: /fails/ }).waitFor();
  await call(page);
  await page.locator('.job').getByText('error').first().waitFor();
  await page.getByLabel('stderr', { exact: true }).getByText(ATTACKS).waitFor();
  t.equal(await page.locator('main img, main script, main a[href^="javascript"]').count(), 0);
  t.same(browser.complaints, []);
});

t.test(
  'disable and enable work where the session may, and are not there where not',
  { skip: withoutBrowser },
  async (t) => {
    const { page, browser, under } = await started(t, 'greet');
    const user = await browser.signedIn(
      await consoleLink(under.admin, under.plane.url, 'user'),
      '#/services/n1/greet',
    );
    await user.getByRole('button', { name: 'Call', exact: true }).waitFor();
    t.equal(await user.getByRole('button', { name: 'Disable' }).count(), 0);
    await page.getByRole('button', { name: 'Disable' }).click();
    await page.getByText('disabled', { exact: false }).first().waitFor();
    await user.getByText('disabled', { exact: false }).first().waitFor();
    await page.getByRole('button', { name: 'Enable' }).click();
    await page.locator('.bar .state-online').first().waitFor();
    t.same(browser.complaints, []);
  },
);
