import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { servicesIn, startAcheron } from '../acheron.js';
import type { Bench, BenchCase, Row } from '../bench.js';
import { interleave, median, medians, quantile } from '../interleave.js';
import { runLoad } from '../tools.js';

const PAYLOAD = '{"text":"hello"}';

/** Answers what it was asked, after as many ms as the path says, in a process of its own. */
const SERVER = `
const { createServer } = require('node:http');
createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const answer = () => {
    const body = Buffer.concat(chunks);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
  };
  const ms = Number(request.url.slice(1));
  if (ms === 0) answer();
  else setTimeout(answer, ms);
}).listen(0, '127.0.0.1', function () { console.log(this.address().port); });
`;

/** How long the server takes: nothing, and as long as one in another city. */
const DELAYS_MS = [0, 10];

export const httpServices: BenchCase = {
  name: 'http',
  title: "a call of an HTTP service through the mount, beside Node's own fetch of the same",
  async run(bench) {
    const server = spawn(process.execPath, ['-e', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = (await once(server.stdout, 'data')) as [Buffer];
      const origin = `http://127.0.0.1:${line.toString().trim()}`;
      const folder = join(bench.folder, 'http-services');
      await mkdir(folder, { recursive: true });
      for (const ms of DELAYS_MS) await offer(folder, ms, origin);
      const up = await startAcheron(
        bench,
        ...['--no-bundled', '--services-dir', folder, '--allow-private', 'loopback'],
      );
      try {
        const rows: Row[] = [];
        for (const ms of DELAYS_MS) {
          const path = join(servicesIn(up.dir), `after-${ms}`, 'control/invoke.json');
          rows.push(...(await measure(bench, ms, origin, path)));
        }
        return rows;
      } finally {
        await up.stop();
      }
    } finally {
      server.kill();
    }
  },
};

async function offer(folder: string, ms: number, origin: string): Promise<void> {
  const manifest = {
    service_id: `after-${ms}`,
    kind: 'bench',
    runtime: { type: 'http', method: 'PUT', url: `${origin}/${ms}`, body: { json: '{payload}' } },
  };
  await writeFile(join(folder, `after-${ms}.json`), JSON.stringify(manifest));
}

async function measure(bench: Bench, ms: number, origin: string, path: string): Promise<Row[]> {
  const tools = await bench.tools();
  const p50 = new Map<string, number[]>();
  const p99 = new Map<string, number[]>();
  const note = (name: string, at50: number, at99: number): number => {
    p50.set(name, [...(p50.get(name) ?? []), at50]);
    p99.set(name, [...(p99.get(name) ?? []), at99]);
    return at50;
  };
  const turns = new Map<string, () => Promise<number>>([
    ['fetch', () => fetchTurn(bench, `${origin}/${ms}`, note)],
    [
      'mount',
      async () => {
        const figures = await runLoad(tools, 'call', path, 1, bench.seconds, PAYLOAD);
        return note('mount', figures.p50_us / 1000, figures.p99_us / 1000);
      },
    ],
  ]);
  bench.say(`a server that takes ${ms} ms`);
  await interleave(turns, bench.rounds);
  const what = (percentile: string): string => `${percentile}, 1 caller, a server that takes ${ms} ms`;
  return [
    {
      what: what('p50'),
      unit: 'ms',
      better: 'less',
      values: medians(p50),
      baseline: 'fetch',
      aim: '<= 1.3x',
    },
    { what: what('p99'), unit: 'ms', better: 'less', values: medians(p99), baseline: 'fetch' },
  ];
}

async function fetchTurn(
  bench: Bench,
  url: string,
  note: (name: string, at50: number, at99: number) => number,
): Promise<number> {
  const figures: number[] = [];
  const start = performance.now();
  while (performance.now() - start < bench.seconds * 1000) {
    const began = performance.now();
    const response = await fetch(url, {
      method: 'PUT',
      body: PAYLOAD,
      headers: { 'content-type': 'application/json' },
    });
    JSON.parse(await response.text());
    figures.push(performance.now() - began);
  }
  return note('fetch', median(figures), quantile(figures, 0.99));
}
