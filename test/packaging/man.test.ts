import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import t from 'tap';
import { wholeProgram } from '../../lib/cli/index.js';
import { temporaryDir } from '../support/store.js';

const top = join(import.meta.dirname, '../../..');
const dir = temporaryDir(t);
const env = { ...process.env, SOURCE_DATE_EPOCH: '1700000000' };
execFileSync(process.execPath, [join(top, 'bin/man.mjs'), dir], { env });
const pages = new Map(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), 'utf8')]));

/** What a reader sees of it, but for how lines are broken. */
function seen(page: string): string {
  return page
    .replaceAll(/\\f[BIP]/g, '')
    .replaceAll('\\-', '-')
    .replaceAll('\\(aq', "'")
    .replaceAll(/\s+/g, ' ');
}

function commandsBelow(command: Command, above: readonly string[] = []): [string, Command][] {
  const words = [...above, command.name()];
  return [[words.join('-'), command], ...command.commands.flatMap((sub) => commandsBelow(sub, words))];
}

t.test('each command has a page, which names all its options, arguments and subcommands', async (t) => {
  const commands = commandsBelow(await wholeProgram());
  t.ok(commands.length > 50, 'subcommands too');
  for (const [name, command] of commands) {
    const page = seen(pages.get(`${name}.1`) ?? '');
    t.ok(page.startsWith(`.TH "${name.toUpperCase()}" 1 "2023-11-14" "Acheron `), `${name}: has a page`);
    for (const { flags, hidden } of command.options)
      if (!hidden) t.ok(page.includes(`.TP ${flags} `), `${name}: ${flags}`);
    for (const argument of command.registeredArguments)
      t.ok(page.includes(`.TP ${argument.name()} `), `${name}: ${argument.name()}`);
    for (const sub of command.commands)
      t.ok(page.includes(`.BR ${name}-${sub.name()} (1)`), `${name}: see ${sub.name()}`);
  }
  t.equal(commands.length + 3, pages.size, 'and there are no others but those of documents');
});

t.test('pages of manifests, drivers and the tree have the chapters of the documents', async (t) => {
  const documents = {
    'acheron-manifest.5': 'MANIFEST',
    'acheron-driver.7': 'DRIVER_AUTHORS',
    'acheron.7': 'NAMESPACE',
  };
  for (const [name, document] of Object.entries(documents)) {
    const text = readFileSync(join(top, `docs/${document}.md`), 'utf8').replaceAll(/^```.*?^```/gms, '');
    const chapters = [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => (title ?? '').replaceAll('`', ''));
    t.ok(chapters.length > 3);
    for (const chapter of chapters)
      t.ok(seen(pages.get(name) ?? '').includes(`.SH "${chapter.toUpperCase()}"`), `${name}: ${chapter}`);
  }
});

t.test('pages are what man(7) says: ASCII, and nothing is taken for a request that is text', async (t) => {
  const request = /^\.(?:TH|SH|SS|PP|TP|IP|RS|RE|nf|fi|B|BR)(?: |$)/;
  for (const [name, page] of pages) {
    const faulty = page.split('\n').filter((line) => /^[.']/.test(line) && !request.test(line));
    t.same(faulty, [], name);
    t.match(page, /^[\n\x20-\x7e]+$/, `${name}: ASCII`);
    t.match(page, /^\.TH [^\n]+\n\.SH "NAME"\n\S+ \\- \S.*\n\.SH/, `${name}: what apropos reads`);
    t.equal(page.split('\n.nf').length, page.split('\n.fi').length, `${name}: each block ends`);
  }
});

t.test('what sets manual pages here finds nothing wrong with them', async (t) => {
  const files = [...pages.keys()].map((name) => join(dir, name));
  const checks: [string, string[]][] = [
    ['mandoc', ['-T', 'lint', '-W', 'warning', ...files]],
    ['groff', ['-man', '-Tutf8', '-ww', '-z', ...files]],
  ];
  for (const [program, args] of checks) {
    const ran = spawnSync(program, args, { encoding: 'utf8' });
    if (ran.error === undefined) t.equal(`${ran.stdout}${ran.stderr}`, '', program);
  }
});

t.test('the same sources make the same bytes, whoever makes them', async (t) => {
  const again = temporaryDir(t);
  const other = { ...env, HOME: again, XDG_STATE_HOME: again };
  execFileSync(process.execPath, [join(top, 'bin/man.mjs'), again], { env: other });
  for (const [name, page] of pages) t.equal(readFileSync(join(again, name), 'utf8'), page, name);
});
