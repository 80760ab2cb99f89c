import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from 'playwright-core';
import type { ControlClient } from '../../lib/control/index.js';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage'],
];

/** Text of somebody else that would run, were it taken for markup. */
export const ATTACK = '<img src=x onerror=alert(1)>';

/** Why a test of the console cannot run here; false where it can. */
export const withoutBrowser: string | false = existsSync(CHROMIUM)
  ? false
  : 'it needs a browser: the Debian package chromium';

interface Teardown {
  teardown(callback: () => unknown): void;
}

/** One browser, and what its pages complained of. */
export class ConsoleBrowser {
  readonly browser: Browser;
  /** Errors, refused requests, violations of the policy: a good page has none. */
  readonly complaints: string[] = [];
  readonly #t: Teardown;

  private constructor(t: Teardown, browser: Browser) {
    this.#t = t;
    this.browser = browser;
  }

  static async start(t: Teardown): Promise<ConsoleBrowser> {
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    t.teardown(() => browser.close());
    return new ConsoleBrowser(t, browser);
  }

  /** A page of a browser profile of its own. */
  async page(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    const context: BrowserContext = await this.browser.newContext(options);
    this.#t.teardown(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    page.on('console', (said) => {
      if (said.type() === 'error' || said.type() === 'warning') this.complaints.push(said.text());
    });
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    return page;
  }

  /** A page that is signed in, at `route`. */
  async signedIn(
    link: string,
    route = '',
    options: Parameters<Browser['newContext']>[0] = {},
  ): Promise<Page> {
    const page = await this.page(options);
    await page.goto(link);
    await page.getByText('connected', { exact: false }).first().waitFor();
    if (route !== '') await page.evaluate(`location.hash = ${JSON.stringify(route)}`);
    return page;
  }
}

/** A link to the console, as `acheron console` prints it. */
export async function consoleLink(client: ControlClient, url: string, role?: 'user'): Promise<string> {
  const { code, path } = await client.request('console_link_create', role === undefined ? {} : { role });
  return `${url.replace(/^ws/, 'http')}${path}#code=${code}`;
}

/** An editor for JSON, once it is loaded. */
export async function jsonEditor(page: Page, name: string | RegExp): Promise<Locator> {
  const editor = page.locator('.cm-content').and(page.getByRole('textbox', { name }));
  await editor.waitFor();
  return editor;
}

/** The text of an editor, of which all lines are seen. */
export async function textIn(editor: Locator): Promise<string> {
  return (await editor.locator('.cm-line').allTextContents()).join('\n');
}

interface Editable {
  dispatchEvent(event: object): boolean;
}
interface PageWorld {
  readonly DataTransfer: new () => { setData(type: string, text: string): void };
  readonly ClipboardEvent: new (type: string, init: object) => object;
}

/**
 * Puts `text` in place of what the editor has, as a paste does. (Chromium's own editing commands, which `fill` uses, carry
 * over styles as attributes, which the page's policy refuses and reports.)
 */
export async function putText(editor: Locator, text: string): Promise<void> {
  await editor.press('Control+A');
  await editor.press('Delete');
  if (text === '') return;
  await editor.evaluate((element, pasted) => {
    const { DataTransfer, ClipboardEvent } = globalThis as unknown as PageWorld;
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', pasted);
    const init = { clipboardData, bubbles: true, cancelable: true };
    (element as unknown as Editable).dispatchEvent(new ClipboardEvent('paste', init));
  }, text);
}
