import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { servicesIn, startAcheron } from '../acheron.js';
import { CannotRun, type BenchCase } from '../bench.js';
import { median } from '../interleave.js';

const LONGEST_MS = 10_000;

export const manifestChange: BenchCase = {
  name: 'manifest-change',
  title: 'from saving a manifest to seeing the change in the mount',
  async run(bench) {
    const folder = join(bench.folder, 'manifests');
    await mkdir(folder, { recursive: true });
    await save(folder, 0);
    const up = await startAcheron(bench, '--services-dir', folder);
    const readme = join(servicesIn(up.dir), 'bench-note/README.md');
    try {
      const figures: number[] = [];
      for (let version = 1; version <= bench.rounds * 2; version++) {
        await pause(100 + Math.random() * 400);
        const start = performance.now();
        await save(folder, version);
        await seen(readme, version, start);
        figures.push(performance.now() - start);
      }
      return [
        {
          what: 'change visible after',
          unit: 'ms',
          better: 'less',
          values: { median: median(figures), slowest: Math.max(...figures) },
          aim: '<= 150 ms',
        },
      ];
    } finally {
      await up.stop();
    }
  },
};

/** As an editor saves: a new file renamed over the old. */
async function save(folder: string, version: number): Promise<void> {
  const manifest = {
    service_id: 'bench-note',
    kind: 'bench',
    runtime: { type: 'static' },
    permissions: { allow_roles: ['admin'] },
    help_md: `# bench-note\n\nThis is version ${version}.\n`,
  };
  await writeFile(join(folder, '.new'), JSON.stringify(manifest));
  await rename(join(folder, '.new'), join(folder, 'bench-note.json'));
}

async function seen(readme: string, version: number, start: number): Promise<void> {
  while (!(await readFile(readme, 'utf8').catch(() => '')).includes(`version ${version}.`)) {
    if (performance.now() - start > LONGEST_MS)
      throw new CannotRun(`the change was not visible within ${LONGEST_MS} ms`);
    await pause(1);
  }
}
