// `npm run man [-- DIR]`: manual pages in dist/man, or DIR. Those of commands are made of what `--help` is made of, the
// others of docs/: acheron(1) and one for each command, acheron-manifest(5), acheron-driver(7), and acheron(7), the tree.
// Equal sources and SOURCE_DATE_EPOCH make equal bytes.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { wholeProgram } from '../dist/lib/cli/index.js';
import { document, filled, paragraph, plain, quoted, tagged, verbatim } from './roff.mjs';
import { dateOfSources } from './date-of-sources.mjs';

const DOCUMENTS = [
  { name: 'acheron-manifest', section: 5, file: 'docs/MANIFEST.md' },
  { name: 'acheron-driver', section: 7, file: 'docs/DRIVER_AUTHORS.md' },
  { name: 'acheron', section: 7, file: 'docs/NAMESPACE.md' },
];
const STATE_DIR = '$XDG_STATE_HOME/acheron, which is ~/.local/state/acheron; for root /var/lib/acheron';
const top = join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
const date = new Date(Number(process.env.SOURCE_DATE_EPOCH ?? dateOfSources()) * 1000)
  .toISOString()
  .slice(0, 10);

const to = resolve(process.argv[2] ?? join(top, 'dist/man'));
rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
for (const { name, section, text } of [...commandPages(await wholeProgram()), ...DOCUMENTS.map(documentPage)])
  writeFileSync(join(to, `${name}.${section}`), text);

/** A page for the command, and for each below it. */
function commandPages(command, above = []) {
  const words = [...above, command.name()];
  const page = { name: words.join('-'), section: 1, text: commandPage(command, words) };
  return [page, ...command.commands.flatMap((sub) => commandPages(sub, words))];
}

function commandPage(command, words) {
  const help = command.createHelp();
  // Those who read it are not who made it.
  const stateDir = command.options.find(({ long }) => long === '--state-dir');
  stateDir?.default(stateDir.defaultValue, STATE_DIR);
  const entries = (names) =>
    names.map(([tag, about]) => tagged(`\\fB${plain(tag)}\\fP`, plain(about))).join('\n');
  const shown = help.visibleOptions(command).map((one) => [one.flags, help.optionDescription(one)]);
  const commands = help.visibleCommands(command).filter((sub) => sub.name() !== 'help');
  const usage = help.commandUsage(command).slice(words.join(' ').length);
  return page(words.join('-'), 1, [
    ['NAME', `${plain(words.join('-'))} \\- ${plain(summaryOf(command))}`],
    ['SYNOPSIS', `.B ${plain(words.join(' '))}\n${filled(plain(usage))}`],
    ['DESCRIPTION', filled(plain(help.commandDescription(command)))],
    [
      'ARGUMENTS',
      entries(help.visibleArguments(command).map((one) => [one.name(), help.argumentDescription(one)])),
    ],
    ['OPTIONS', entries(shown)],
    ['COMMANDS', entries(commands.map((sub) => [sub.name(), summaryOf(sub)]))],
    ...notes(command),
    ['SEE ALSO', seeAlso(command, words)],
  ]);
}

/** What stands below the options in `--help`: headings with lines below them, and paragraphs. */
function notes(command) {
  let text = '';
  command.configureOutput({ writeOut: (more) => (text += more) });
  command.outputHelp();
  const parts = text.slice(command.helpInformation().length).split(/\n\s*\n/);
  return parts
    .map((part) => part.replace(/^\n+/, '').trimEnd())
    .filter((part) => part !== '')
    .map((part) => {
      const [, title, below] = /^(\S.*):\n([^]+)$/.exec(part) ?? [undefined, 'Notes', part];
      return [
        title.toUpperCase(),
        /^ /m.test(below) ? verbatim(below.replaceAll(/^ {2}/gm, '')) : paragraph(below),
      ];
    });
}

function seeAlso(command, words) {
  const below = command.commands.filter((sub) => sub.name() !== 'help').map((sub) => [...words, sub.name()]);
  const names = [...(words.length > 1 ? [words.slice(0, -1)] : []), ...below].map(
    (one) => `${one.join('-')} 1`,
  );
  return references([...names, ...DOCUMENTS.map(({ name, section }) => `${name} ${section}`)]);
}

function references(pages) {
  return pages
    .map((one, at) => {
      const [name, section] = one.split(' ');
      return `.BR ${plain(name)} (${section})${at === pages.length - 1 ? '' : ','}`;
    })
    .join('\n');
}

function documentPage({ name, section, file }) {
  const { title, body } = document(readFileSync(join(top, file), 'utf8'));
  const others = DOCUMENTS.filter((one) => one.file !== file).map((one) => `${one.name} ${one.section}`);
  const text = page(name, section, [
    ['NAME', `${plain(name)} \\- ${plain(begun(title))}`],
    ['DESCRIPTION', body],
    ['SEE ALSO', references(['acheron 1', ...others])],
  ]);
  return { name, section, text };
}

function page(name, section, parts) {
  const head = `.TH ${quoted(name.toUpperCase())} ${section} "${date}" ${quoted(`Acheron ${version}`)} ${quoted('Acheron manual')}`;
  const body = parts
    .filter(([, roff]) => roff !== '')
    .map(([title, roff]) => `.SH ${quoted(title)}\n${roff.replace(/^\.PP\n/, '')}`);
  return `${[head, ...body].join('\n')}\n`;
}

/** The summary, or the first sentence, as a line of `apropos`. */
function summaryOf(command) {
  const text = command.summary() || command.description();
  return begun(text.replaceAll(/\s+/g, ' ').replace(/[.:;](?: .*)?$/, ''));
}

/** As it stands behind a dash: in small letters, where the word does not need its large ones. */
function begun(text) {
  return text.replace(/^[A-Z](?=[a-z]*\b)/, (letter) => letter.toLowerCase());
}
