import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { top } from './mounted.js';

t.test('each test file that a document names is there', async (t) => {
  const documents = ['SECURITY.md', 'CONTRIBUTING.md', 'README.md']
    .concat(readdirSync(join(top, 'docs')).map((name) => join('docs', name)))
    .filter((name) => name.endsWith('.md'));
  let named = 0;
  for (const document of documents)
    for (const [file] of readFileSync(join(top, document), 'utf8').matchAll(/\btest\/[\w/-]+\.test\.ts/g)) {
      named++;
      t.ok(existsSync(join(top, file)), `${document}: ${file}`);
    }
  t.ok(named > 30);
});
