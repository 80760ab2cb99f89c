import t from 'tap';
import { wholeProgram } from '../../lib/cli/index.js';
import { acheron } from '../support/acheron.js';

const { stdout: list } = await acheron(['help']);
const topics = [
  ...(list.split('Topics (acheron help TOPIC):\n')[1] ?? '').matchAll(/^ {2}(\S+) {2,}\S/gm),
].map(([, name]) => name ?? '');

t.test('acheron help lists topics, none of which is a command', async (t) => {
  for (const name of ['manifest', 'drivers', 'tree', 'security', 'admin']) t.ok(topics.includes(name), name);
  const commands = (await wholeProgram()).commands.map((command) => command.name());
  t.same(
    topics.filter((name) => commands.includes(name)),
    [],
  );
});

t.test('each topic is readable text: no marks of Markdown, lines that fit', async (t) => {
  for (const name of topics) {
    const { stdout, status } = await acheron(['help', name]);
    t.equal(status, 0, name);
    t.match(stdout, /^\S[^\n]*\n=+\n\n\S/, `${name}: a title`);
    const text = stdout.split('\n').filter((line) => !line.startsWith('    ') && line.includes(' '));
    t.same(
      text.filter((line) => /```|\*\*|\]\(|^#+ /.test(line) || line.length > 80),
      [],
      name,
    );
  }
});

t.test('acheron help COMMAND says how it is called, and what it does not know it says', async (t) => {
  t.match((await acheron(['help', 'driver'])).stdout, /^Usage: acheron driver[^]*acheron help drivers/);
  t.equal((await acheron(['help', 'up'])).stdout, (await acheron(['up', '--help'])).stdout);
  const wrong = await acheron(['help', 'nonsense']);
  t.equal(wrong.status, 2);
  t.match(wrong.stderr, /no command and no topic 'nonsense'; acheron help lists them/);
});
