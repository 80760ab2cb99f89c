import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { startControlPlane, startNode } from '../../lib/index.js';
import type { Bench, BenchCase, Row } from '../bench.js';
import { top } from '../tools.js';

const CATALOGS = [10, 100, 1000];
const SETTLED_MS = 10;
const MAX_TRIES = 50;

interface Measured {
  readonly firstMs: number;
  readonly nextMs: number;
  readonly tokens: number;
}

interface Manifest {
  readonly service_id: string;
  readonly capabilities?: { readonly invoke?: boolean };
}

/** What it runs is no matter here. */
const RUNTIME = { type: 'native_proc', executable_path: 'cat' };

/** Descriptions and schemas as people write them: those of the bundled services again and again, under other names. */
function writeManifests(dir: string, count: number): void {
  const bundled = join(top, 'manifests/services');
  const manifests = readdirSync(bundled)
    .map((name) => JSON.parse(readFileSync(join(bundled, name), 'utf8')) as Manifest)
    .filter(({ capabilities }) => capabilities?.invoke !== false);
  mkdirSync(dir);
  for (let n = 0; n < count; n++) {
    const manifest = manifests[n % manifests.length];
    if (manifest === undefined) throw new TypeError('There are no manifests.');
    const id = `${manifest.service_id}-${n}`;
    const changed = { $schema: undefined, service_id: id, mounts: undefined, runtime: RUNTIME };
    writeFileSync(join(dir, `${id}.json`), JSON.stringify({ ...manifest, ...changed }));
  }
}

/** As the server answers, whatever a client then makes of it. */
async function listed(url: string, token: string, query: string): Promise<Measured> {
  const ask = async (): Promise<{ ms: number; tools: object[] }> => {
    const from = performance.now();
    const response = await fetch(`${url.replace(/^ws/, 'http')}/mcp${query}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/list',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: ENVELOPE } }),
    });
    const text = await response.text();
    const ms = performance.now() - from;
    const answer = JSON.parse(text) as { result: { tools: object[] } };
    return { ms, tools: answer.result.tools };
  };
  const first = await ask();
  const times: number[] = [];
  for (let n = 0; n < 5; n++) times.push((await ask()).ms);
  times.sort((a, b) => a - b);
  return { firstMs: first.ms, nextMs: times[2] ?? NaN, tokens: encode(JSON.stringify(first.tools)).length };
}

const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '0' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

async function measure(bench: Bench, count: number): Promise<{ all: Measured; compact: Measured }> {
  const dir = join(bench.folder, `mcp-${count}`);
  mkdirSync(dir);
  writeManifests(join(dir, 'services'), count);
  const node = await startNode({ stateDir: join(dir, 'node'), servicesDirs: [join(dir, 'services')] });
  try {
    const plane = await startControlPlane({ stateDir: join(dir, 'plane'), port: 0, node });
    try {
      const token = readFileSync(plane.adminTokenFile, 'utf8').trim();
      // What is loaded when `/mcp` is asked for the first time, and what a node does that has just started, is no matter of the list.
      const settled = async (): Promise<boolean> =>
        listed(plane.url, token, '?compact').then(
          ({ nextMs }) => nextMs < SETTLED_MS,
          () => false,
        );
      for (let n = 0; n < MAX_TRIES && !(await settled()); n++);
      return { all: await listed(plane.url, token, ''), compact: await listed(plane.url, token, '?compact') };
    } finally {
      await plane.close();
    }
  } finally {
    await node.close();
  }
}

export const mcpTools: BenchCase = {
  name: 'mcp-tools',
  title: 'tools/list of /mcp, and the tokens (o200k) that it takes in the mind of an agent',
  async run(bench) {
    const rows: Row[] = [];
    for (const count of CATALOGS) {
      bench.say(`${count} services`);
      const { all, compact } = await measure(bench, count);
      const aim = count === 1000 ? '< 200 ms' : undefined;
      const values = (of: (measured: Measured) => number): Row['values'] => ({
        'all tools': of(all),
        compact: of(compact),
      });
      rows.push(
        { what: `first list of ${count}`, unit: 'ms', better: 'less', values: values(({ firstMs }) => firstMs), ...(aim === undefined ? {} : { aim }) }, // prettier-ignore
        { what: `next list of ${count}`, unit: 'ms', better: 'less', values: values(({ nextMs }) => nextMs), ...(aim === undefined ? {} : { aim }) }, // prettier-ignore
        { what: `tokens of ${count}`, unit: '', better: 'less', values: values(({ tokens }) => tokens) },
      );
    }
    return rows;
  },
};
