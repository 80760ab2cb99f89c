import { readFileSync } from 'node:fs';
import t from 'tap';
import { EVENT_KINDS } from '../../lib/control/store/events.js';
import { FS_EVENTS, FS_MESSAGES, PROTOCOL_CODES, TUNNEL_EVENTS } from '../../lib/protocol/index.js';

const reference = readFileSync(new URL('../../../docs/PROTOCOL_FILES.md', import.meta.url), 'utf8');
const rowOf = (name: string): string =>
  reference.split('\n').find((line) => line.startsWith(`| \`${name}\` |`)) ?? '';

t.test('the reference has every file message with its fields', async (t) => {
  for (const [name, { request, reply, about, root }] of Object.entries(FS_MESSAGES)) {
    const row = rowOf(`t_fs_${name}`);
    t.ok(row.endsWith(`| ${about} |`), name);
    for (const field of [...root, ...Object.keys(request.shape), ...Object.keys(reply.shape)])
      t.match(row, new RegExp(`\`${field}\\??\``), `${name}: ${field}`);
  }
  for (const [name, { about, payload }] of Object.entries({ ...FS_EVENTS, ...TUNNEL_EVENTS })) {
    t.ok(rowOf(name).endsWith(`| ${about} |`), name);
    for (const field of Object.keys(payload.shape)) t.match(rowOf(name), `\`${field}`, `${name}: ${field}`);
  }
});

t.test('the protocol has every code of an error and every kind of event, and no other', async (t) => {
  const page = readFileSync(new URL('../../../docs/PROTOCOL.md', import.meta.url), 'utf8');
  const namesIn = (text: string | undefined): string[] =>
    [...(text ?? '').matchAll(/`([a-z_]+)`/g)].map(([, name]) => name!);
  const firstCells = /### Codes\n([^#]*)/
    .exec(page)?.[1]
    ?.match(/^\|[^|]*\|/gm)
    ?.join('');
  t.same(namesIn(firstCells).sort(), [...PROTOCOL_CODES].sort());
  const kinds = /Kinds: ([^]*?)each with/.exec(page)?.[1]?.replace('(with `service_delta`)', '');
  t.same(namesIn(kinds).sort(), [...EVENT_KINDS].sort());
});
