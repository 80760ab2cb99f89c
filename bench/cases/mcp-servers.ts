import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { servicesIn, startAcheron } from '../acheron.js';
import { CannotRun, type BenchCase } from '../bench.js';
import { alternate, quantile } from '../interleave.js';
import { plainEnvironment, top } from '../tools.js';
import { invokeThroughMount } from './invocation.js';

const SERVER = join(top, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');
const ARGS = { message: 'hello' };
const START_MS = 60_000;
const WARM_UP_CALLS = 200;

export const mcpServers: BenchCase = {
  name: 'mcp',
  title: "a tool of an MCP server through the mount (write, then read the reply) against the SDK's own call",
  async run(bench) {
    if (!existsSync(SERVER)) throw new CannotRun(`${SERVER} is not installed`);
    const folder = join(bench.folder, 'mcp');
    await mkdir(folder, { recursive: true });
    const runtime = { type: 'mcp', command: process.execPath, args: [SERVER, 'stdio'] };
    const manifest = { service_id: 'every', kind: 'mcp', runtime };
    await writeFile(join(folder, 'every.json'), JSON.stringify(manifest));
    const up = await startAcheron(bench, '--no-bundled', '--services-dir', folder);
    const client = new Client({ name: 'bench', version: '1' });
    try {
      const control = join(servicesIn(up.dir), 'every.echo/control/invoke.json');
      await offered(control);
      const env = plainEnvironment() as Record<string, string>;
      await client.connect(
        new StdioClientTransport({
          command: process.execPath,
          args: [SERVER, 'stdio'],
          env,
          stderr: 'ignore',
        }),
      );
      const actions = new Map<string, () => Promise<unknown>>([
        ['SDK', () => client.callTool({ name: 'echo', arguments: ARGS })],
        ['mount', () => invokeThroughMount(control, JSON.stringify(ARGS))],
      ]);
      for (const action of actions.values())
        for (let count = 0; count < WARM_UP_CALLS; count++) await action();
      const figures = await alternate(actions, bench.seconds * bench.rounds);
      return [0.5, 0.99].map((q) => ({
        what: `echo, p${q * 100}`,
        unit: 'us',
        better: 'less',
        values: Object.fromEntries([...figures].map(([name, list]) => [name, quantile(list, q)])),
        baseline: 'SDK',
        ...(q === 0.5 ? { aim: '<= 1.3x' } : {}),
      }));
    } finally {
      await client.close();
      await up.stop();
    }
  },
};

/** Its server has said what it offers. */
async function offered(control: string): Promise<void> {
  const endMs = performance.now() + START_MS;
  while (!existsSync(control)) {
    if (performance.now() > endMs) throw new CannotRun('the server offers nothing');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
