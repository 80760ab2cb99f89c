import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium, type Page } from 'playwright-core';
import { ControlClient } from '../../lib/control/index.js';
import { CannotRun, type BenchCase, type Row } from '../bench.js';
import { joinNode } from '../join-node.js';
import { freshDir } from '../mounts.js';
import { quantile } from '../interleave.js';
import { adminTokenFile, startControl } from '../plane.js';
import { simulateNodes } from '../simulated-nodes.js';

const NODES = Number(process.env['ACHERON_BENCH_NODES'] ?? 1000);
const SERVICES = 50;
const CHROMIUM = '/usr/bin/chromium';
/** An hour of ten calls a second, as fast as the page takes them. */
const EVENTS = 36_000;
const EVENTS_AT_ONCE = 1000;
const KEYS = ['s', 'se', 'ser', 'serv', 'service-4', 'service-49', 'service-4', 'node:7', 'node:77'];

export const webConsole: BenchCase = {
  name: 'console',
  title: `the web console, with ${NODES} nodes and ${SERVICES} services each`,
  async run(bench) {
    const rows: Row[] = [];
    const measure = (what: string, unit: string, figure: number, aim?: string): void => {
      bench.say(`${what}: ${figure.toFixed(1)} ${unit}`);
      rows.push({
        what,
        unit,
        better: 'less',
        values: { console: figure },
        ...(aim === undefined ? {} : { aim }),
      });
    };
    const { first, all } = packedSizes();
    measure('first view, packed', 'KB', first / 1024, '<= 350 KB');
    measure('with what is loaded when needed', 'KB', all / 1024);
    const running: { stop(): Promise<void> }[] = [];
    try {
      const browser = await chromium
        .launch({
          executablePath: CHROMIUM,
          args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
        })
        .catch((error: unknown) => {
          throw new CannotRun(`there is no browser: ${(error as Error).message.split('\n')[0] ?? ''}`);
        });
      running.push({ stop: () => browser.close() });
      const state = `${freshDir(bench)}-plane`;
      const control = await startControl(state);
      running.push(control);
      const tokenFile = adminTokenFile(state);
      const nodes = await simulateNodes(bench, control.url, tokenFile, NODES, SERVICES);
      running.push(nodes);
      await nodes.registered();
      const admin = new ControlClient({
        url: control.url,
        token: readFileSync(tokenFile, 'utf8').trim(),
      }).start();
      running.push({ stop: async () => admin.close() });
      await admin.ready();

      const viewsMs: number[] = [];
      for (let round = 0; round < bench.rounds; round++) {
        const page = await browser.newPage();
        await openConsole(page, admin, control.url);
        await page.locator('.row-service').first().waitFor();
        viewsMs.push(await page.evaluate<number>('performance.now()'));
        await page.close();
      }
      measure('first view, p50', 'ms', quantile(viewsMs, 0.5), '<= 1000 ms');

      const page = await browser.newPage();
      await openConsole(page, admin, control.url);
      const total = (NODES * SERVICES).toLocaleString('en');
      await page.getByText(`${total} services`, { exact: true }).waitFor();
      measure('until all services are there', 'ms', await page.evaluate<number>('performance.now()'));
      const keysMs = await page.evaluate<number[]>(`(${TYPE_KEYS})(${JSON.stringify(KEYS)})`);
      measure('a key in the filter, p50', 'ms', quantile(keysMs, 0.5), '<= 100 ms');
      measure('a key in the filter, worst', 'ms', Math.max(...keysMs), '<= 100 ms');
      measure('heap of the page', 'MiB', await heapMebibytes(page));
      await pourEvents(admin, control.url, page);
      measure(`heap after ${EVENTS} events`, 'MiB', await heapMebibytes(page));
      return rows;
    } finally {
      for (const each of running.reverse()) await each.stop();
    }
  },
};

async function openConsole(page: Page, admin: ControlClient, url: string): Promise<void> {
  const { code, path } = await admin.request('console_link_create', {});
  await page.goto(`${url.replace(/^ws/, 'http')}${path}#code=${code}`);
}

/** From each key to the frame that shows what it found. */
const TYPE_KEYS = `async (all) => {
  const input = document.querySelector('input[type=search]');
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
  const took = [];
  for (const words of all) {
    const since = performance.now();
    set.call(input, words);
    input.dispatchEvent(new Event('input', { bubbles: true }));
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    took.push(performance.now() - since);
  }
  set.call(input, '');
  input.dispatchEvent(new Event('input', { bubbles: true }));
  return took;
}`;

/** Calls of one node's service end, one after another; at last the page shows that it saw them. */
async function pourEvents(admin: ControlClient, url: string, page: Page): Promise<void> {
  const proof = await joinNode(admin, 'aaa-busy');
  const client = new ControlClient({ url, connect: () => proof }).start();
  try {
    const { node } = await client.ready();
    const epoch = node?.epoch ?? 0;
    const describe = (version: string): Promise<unknown> =>
      client.request('node_service_upsert', {
        ...proof,
        epoch,
        services: [
          {
            service_id: 'busy',
            kind: 'bench',
            version,
            help_md: `# Busy\n\nSeen ${version}.`,
            permissions: {},
          },
        ],
      });
    await describe('1');
    for (let sent = 0; sent < EVENTS; sent += EVENTS_AT_ONCE) {
      const records = Array.from({ length: EVENTS_AT_ONCE }, (_, at) => ({
        record_id: `record-${sent + at}`,
        timestamp_ms: Date.now(),
        act: 'invoke',
        outcome: 'ok',
        service_id: 'busy',
        invocation_id: `call-${sent + at}`,
        state: 'ok',
      }));
      await client.request('audit_append', { ...proof, epoch, records });
    }
    await describe('2');
    await page.getByText('Seen 2.', { exact: false }).waitFor({ timeout: 120_000 });
  } finally {
    client.close();
  }
}

async function heapMebibytes(page: Page): Promise<number> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('HeapProfiler.collectGarbage');
  const { usedSize } = await devtools.send('Runtime.getHeapUsage');
  await devtools.detach();
  return usedSize / 1024 / 1024;
}

/** What the first page loads, and all that there is. */
function packedSizes(): { first: number; all: number } {
  const folder = join(import.meta.dirname, '../../console');
  const index = readFileSync(join(folder, 'index.html'), 'utf8');
  let [first, all] = [0, 0];
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(html|js|css|svg)$/.test(name)) continue;
    const bytes = gzipSync(readFileSync(join(folder, name)), { level: 9 }).length;
    all += bytes;
    if (name === 'index.html' || index.includes(name)) first += bytes;
  }
  return { first, all };
}
