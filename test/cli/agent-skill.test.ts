import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { AGENTS } from '../../lib/worldfs/index.js';
import { acheron } from '../support/acheron.js';
import { temporaryDir } from '../support/test-node.js';

t.test('agent-skill prints or writes what AGENTS.md says, as a skill', async (t) => {
  const { status, stdout } = await acheron(['agent-skill']);
  t.equal(status, 0);
  const [, head = '', body] = /^---\n(.*?)\n---\n\n(.*)$/s.exec(stdout) ?? [];
  t.match(head, /^name: acheron\ndescription: [^\n]{20,1024}$/);
  t.equal(body, AGENTS);
  t.ok(stdout.split(/\s+/).length < 400, 'it is short');
  const dir = join(temporaryDir(t), 'skills');
  t.match(await acheron(['agent-skill', dir]), { status: 0, stdout: `${dir}/acheron/SKILL.md\n` });
  t.equal(readFileSync(join(dir, 'acheron/SKILL.md'), 'utf8'), stdout);
});
