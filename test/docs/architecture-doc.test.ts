import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { top } from './mounted.js';

const text = readFileSync(join(top, 'docs/ARCHITECTURE.md'), 'utf8');

t.test('each path that docs/ARCHITECTURE.md names is there', async (t) => {
  const paths = new Set(
    [...text.matchAll(/`((?:bench|bin|docs|drivers|lib|manifests|test)\/[^`\s]*|[\w-]+\.config\.js)`/g)].map(
      (match) => match[1]!,
    ),
  );
  t.ok(paths.size > 50, `${paths.size} paths`);
  for (const path of paths) t.ok(existsSync(join(top, path)), path);
});

t.test('docs/ARCHITECTURE.md has a line for each room', async (t) => {
  const rooms = readdirSync(join(top, 'lib'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of rooms) t.match(text, `\n| \`lib/${name}\` |`, name);
});
