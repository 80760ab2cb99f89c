import t from 'tap';
import { readManifest } from '../../lib/manifest/index.js';

function shown(text: string): string[] {
  const reading = readManifest(text, { file: '/services/a.json', nodeId: 'n1' });
  t.ok(reading.faults.length > 0);
  return reading.faults.map((fault) => {
    const excerpt = reading.excerpt(fault);
    return `${excerpt?.source ?? ''}\n${excerpt?.caret ?? ''}`;
  });
}

t.test('a fault shows its line, and a caret below its column', (t) => {
  t.same(shown('{\n  "service_id": "a",\n\t"kind": 1\n}'), [' "kind": 1\n         ^']);
  t.same(shown('{\n  "service_id": "a"\n  "kind": "b"\n}'), ['  "kind": "•"\n  ^']);
  t.end();
});

t.test('no value of env shows, whatever is wrong around it', (t) => {
  for (const text of [
    '{"service_id":"a","kind":1,"runtime":{"type":"native_proc","executable_path":"x","env":{"KEY":"hush-hush","N":77123}}}',
    '{"service_id":"a","kind":"b" "runtime":{"env":{"KEY":"hush-hush","N":77123}}}',
    '{"service_id":"a","runtime":{"env":{"KEY":"hush-hush","N":77123',
    '{"service_id":"a","env":{"KEY": hush-hush, "N": 77123}}',
    '{"service_id":"a",env":{"KEY":"hush-hush","N":"77123"}}',
    '{"service_id":"a","kind":"b","a":{"env":[{"b":"hush-hush"},77123]},"runtime":1}',
  ])
    for (const excerpt of shown(text)) t.notMatch(excerpt, /hush|77123/, text);
  t.end();
});

t.test('of a long line the part around the place is shown', (t) => {
  const [excerpt = ''] = shown(`{"service_id":"a","help_md":"${'x'.repeat(3000)}","kind":1,"labels":{}}`);
  const [source = '', caret = ''] = excerpt.split('\n');
  t.equal(source.length, 160);
  t.equal(source[caret.indexOf('^')], '1');
  t.end();
});
