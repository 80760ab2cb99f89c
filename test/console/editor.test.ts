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
  'the editor offers what the schema knows at the cursor, and marks what is wrong at its place',
  { skip: withoutBrowser },
  async (t) => {
    const manifest = shellManifest('greet', 'cat', {
      schema: {
        input: {
          type: 'object',
          required: ['mode'],
          properties: {
            mode: { enum: ['quiet', 'loud'], description: ATTACK },
            [ATTACK]: { type: 'string' },
            deep: { type: 'object', properties: { times: { type: 'integer', minimum: 1 } } },
          },
          additionalProperties: false,
        },
      },
      invoke_template: { mode: 'quiet' },
    });
    const under = await PlaneWithNode.start(t, 'here', [manifest], 'admin', {}, { console: true });
    const browser = await ConsoleBrowser.start(t);
    const page = await browser.signedIn(
      await consoleLink(under.admin, under.plane.url),
      '#/services/n1/greet',
    );
    const editor = await jsonEditor(page, 'Request, as JSON');
    const offers = page.locator('.cm-tooltip-autocomplete [role=option]');
    const type = async (keys: string): Promise<void> => page.keyboard.type(keys);

    await putText(editor, '');
    await type('{');
    await offers.first().waitFor();
    t.same(await offers.locator('.cm-completionLabel').allTextContents(), ['mode', ATTACK, 'deep', '_key']);
    await offers.getByText('mode').click();
    t.equal(await textIn(editor), '{"mode": "quiet"}', 'a name comes with a value that it may have');
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowLeft');
    await type(', "de');
    await offers.getByText('deep').click();
    await type('"t');
    await offers.getByText('times').click();
    await type('0');
    t.equal(await textIn(editor), '{"mode": "quiet", "deep": {"times": 0}}');
    await page.locator('#request-faults').getByText('/deep/times').waitFor();
    t.equal(await page.locator('.cm-lintRange-error').textContent(), '0', 'the very number');

    await putText(editor, '{"mode": "x"}');
    for (let left = 0; left < 2; left++) await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Backspace');
    await page.keyboard.press('Control+Space');
    await offers.first().waitFor();
    t.same(await offers.locator('.cm-completionLabel').allTextContents(), ['"quiet"', '"loud"']);
    await offers.getByText('"loud"').click();
    t.equal(await textIn(editor), '{"mode": "loud"}');
    t.equal(
      await page.getByRole('combobox', { name: /^mode/ }).inputValue(),
      '"loud"',
      'the form says it too',
    );

    await page.keyboard.press('Tab');
    t.equal(
      await page.evaluate('document.activeElement?.classList.contains("editor")'),
      false,
      'Tab leads on: nobody is caught in it',
    );
    t.equal(await page.locator('main img').count(), 0);
    t.same(browser.complaints, []);
  },
);
