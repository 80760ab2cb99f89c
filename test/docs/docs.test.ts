import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import t from 'tap';
import { lineFromFault, readManifest } from '../../lib/manifest/index.js';
import { blocksOfMarkdown, patternFromOutput, type Block } from './blocks.js';
import { program, top } from './mounted.js';
import { runDocument } from './run-document.js';

const documents = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(top, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
].filter((name) => existsSync(join(top, name)));

for (const document of documents) {
  const markdown = readFileSync(join(top, document), 'utf8');
  const blocks = blocksOfMarkdown(markdown);
  t.test(`${document}: links lead somewhere`, async (t) => {
    for (const target of linksIn(markdown, document)) t.ok(existsSync(join(top, target)), target);
  });
  for (const block of blocks.filter(({ kind }) => kind === 'manifest'))
    t.test(`${document}:${block.line}: the manifest is valid`, async (t) => {
      const reading = readManifest(block.text, {
        file: join(top, block.file ?? 'example.json'),
        nodeId: 'local',
      });
      t.same([...reading.faults, ...reading.warnings].map(lineFromFault), []);
    });
  if (!blocks.some(({ kind }) => kind === 'run' || kind === 'tour')) continue;
  const needsMount = blocks.some(({ kind }) => kind === 'tour');
  const skip = needsMount && !existsSync(program) ? 'the acheron command is not built' : false;
  t.test(`${document}: its blocks do what they say`, { skip }, async (t) => {
    const { printed, status } = await runDocument(blocks);
    let last: Block | undefined;
    for (const block of blocks) {
      if (block.kind === 'run' || block.kind === 'tour') {
        last = block;
        if (!printed.has(block)) t.fail(`line ${block.line} was not reached`);
      } else if (block.kind === 'output') {
        const text = last === undefined ? '' : (printed.get(last) ?? '');
        t.match(text.trimEnd(), patternFromOutput(block.text), `line ${block.line} shows what is printed`);
      }
    }
    t.equal(
      status,
      0,
      `the session ended well (it last printed ${JSON.stringify([...printed.values()].at(-1))})`,
    );
  });
}

/** Relative links of a document as paths from the top, without their fragments; code is left out. */
function linksIn(markdown: string, document: string): string[] {
  const prose = markdown.replace(/^( *)(`{3,})[^]*?^\1\2$/gm, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
    .map((match) => match[1]!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => resolve('/', dirname(document), target).slice(1));
}
