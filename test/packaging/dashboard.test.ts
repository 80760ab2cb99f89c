import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { mountDirFor } from '../support/mount-child.js';
import { PlaneProcesses, Program, inviteThrough, untilOnline } from '../support/plane-processes.js';
import { noPostgres, PostgresServer } from '../support/postgres.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';

const top = join(import.meta.dirname, '../../..');

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
  }[];
}

const { panels } = JSON.parse(readFileSync(join(top, 'packaging/grafana/acheron.json'), 'utf8')) as {
  panels: Panel[];
};

t.setTimeout(180_000);

t.test(
  'the dashboard asks for metrics and labels that a replica, a node and a mount have',
  { skip: noPostgres },
  async (t) => {
    const store = PostgresServer.url(await PostgresServer.primary(t));
    const plane = await PlaneProcesses.start(t, ['--store', store]);
    const dir = mountDirFor(t);
    const mount = new Program(t, [
      ...['mount', dir, ...plane.as('admin')],
      ...['--state-dir', temporaryDir(t), '--listen-metrics', '0'],
    ]);
    await mount.says(/Mounted on/);
    const node = plane.node('n1', [shellManifest('purr', 'cat')]);
    node.start(await inviteThrough(dir), ['--listen-metrics', '0']);
    await untilOnline(dir, 'n1');
    const [, ofMount] = await mount.says(/says how it is at (\S+)\/metrics\./);
    const [, ofNode] = await node.program.says(/says how it is at (\S+)\/metrics\./);
    const authorization = `Bearer ${readFileSync(plane.tokenFile('admin'), 'utf8').trim()}`;
    const texts = await Promise.all([
      textAt(`${plane.url.replace('ws', 'http')}/metrics`, authorization),
      textAt(`${ofNode!}/metrics`),
      textAt(`${ofMount!}/metrics`),
      readFile(join(dir, 'control/nodes/n1/metrics'), 'utf8'),
    ]);
    const known = new Set<string>();
    for (const [, name, type] of texts.join('\n').matchAll(/^# TYPE (\S+) (\S+)/gm)) {
      known.add(name!);
      if (type === 'histogram') for (const part of ['bucket', 'sum', 'count']) known.add(`${name!}_${part}`);
    }
    const labels = new Set([...texts.join('\n').matchAll(/[{,](\w+)="/g)].map(([, label]) => label));
    /** Prometheus gives each series the first two. */
    for (const label of ['instance', 'job']) labels.add(label);

    const asked = panels.flatMap(({ targets = [] }) => targets);
    t.ok(asked.length > 15);
    for (const { expr, legendFormat } of asked) {
      const names = [...expr.matchAll(/\b(?:acheron|process)_\w+/g)].map(([name]) => name);
      t.ok(names.length > 0, expr);
      for (const name of names) t.ok(known.has(name), `${name} exists`);
      const grouped = [...expr.matchAll(/\bby \(([^)]+)\)/g)].flatMap(([, list]) => list!.split(/, */));
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
      for (const label of [...grouped, ...shown]) t.ok(labels.has(label), `${label} is a label: ${expr}`);
      if (grouped.length > 0)
        t.same(
          shown.filter((label) => !grouped.includes(label)),
          [],
          `what is shown is kept by: ${expr}`,
        );
    }
  },
);

t.test('its panels have names, say what they show, and do not lie on each other', async (t) => {
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Map<string, string>();
  for (const { type, title, description, gridPos } of panels) {
    t.ok(title);
    if (type !== 'row') t.ok(description, title);
    t.ok(gridPos.x + gridPos.w <= 24, `${title} is on the page`);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        const other = taken.get(`${x},${y}`);
        if (other !== undefined) return t.fail(`${title} lies on ${other}`);
        taken.set(`${x},${y}`, title);
      }
  }
});

async function textAt(url: string, authorization?: string): Promise<string> {
  const response = await fetch(url, authorization === undefined ? {} : { headers: { authorization } });
  if (response.status !== 200) throw new Error(`${url} answers ${response.status}`);
  return response.text();
}
