import t from 'tap';
import { NodeNumbers, NumberedNodes } from '../../lib/tunnel/server/numbered-nodes.js';
import { MapDir, type DirNode } from '../../lib/vfs/index.js';

const dir = (): DirNode => new MapDir(new Map());

/** Numbers of `/a`, `/a/b` and `/a/b/c`, looked up one after the other. */
function looked(): { nodes: NumberedNodes; made: Record<'a' | 'b' | 'c', DirNode>; numbers: number[] } {
  const nodes = new NumberedNodes(dir(), new NodeNumbers());
  const made = { a: dir(), b: dir(), c: dir() };
  const numbers: number[] = [];
  for (const name of ['a', 'b', 'c'] as const)
    numbers.push(nodes.numberOf(made[name], numbers.at(-1) ?? 1, name, nodes.moment));
  return { nodes, made, numbers };
}

const shownOf = (nodes: NumberedNodes, numbers: readonly number[]): boolean[] =>
  numbers.map((number) => nodes.isShown(number));

t.test('what is in doubt counts as shown from the next answer on, with the way to it', async (t) => {
  const { nodes, numbers } = looked();
  const [, b, c] = numbers as [number, number, number];
  t.same(shownOf(nodes, numbers), [true, true, true]);
  nodes.doubt(b);
  t.same(shownOf(nodes, numbers), [true, false, false], 'all below it, and nothing else');
  nodes.shown(c, nodes.moment);
  t.same(shownOf(nodes, numbers), [true, true, true]);
  nodes.doubtAll();
  t.same(shownOf(nodes, [1, ...numbers]), [false, false, false, false]);
  nodes.shown(b, nodes.moment);
  t.same(shownOf(nodes, [1, ...numbers]), [true, true, true, false]);
});

t.test('an answer shows nothing where its request came before the doubt', async (t) => {
  const { nodes, made, numbers } = looked();
  const [a, b, c] = numbers as [number, number, number];
  const { moment } = nodes;
  nodes.doubt(a);
  nodes.shown(c, moment);
  t.equal(nodes.numberOf(made.b, a, 'b', moment), b);
  const late = nodes.numberOf(dir(), b, 'late', moment);
  t.same(shownOf(nodes, [...numbers, late]), [false, false, false, false]);
});

t.test(
  'of what it forgot the way to, a session is shown nothing until it goes there once more',
  async (t) => {
    const { nodes, made, numbers } = looked();
    const [a, b, c] = numbers as [number, number, number];
    nodes.forget(b);
    nodes.shown(c, nodes.moment);
    t.notOk(nodes.isShown(c));
    const again = nodes.numberOf(made.b, a, 'b', nodes.moment);
    t.not(again, b);
    t.equal(nodes.numberOf(made.c, again, 'c', nodes.moment), c);
    t.ok(nodes.isShown(c));
    nodes.doubt(a);
    t.notOk(nodes.isShown(c));
  },
);

t.test('directories that were moved into each other have an end, and are shown where they are', async (t) => {
  const { nodes, made, numbers } = looked();
  const [a, b, c] = numbers as [number, number, number];
  // `/a/b` became `/b`, and `/a` became `/b/a`: the second is looked up first.
  t.equal(nodes.numberOf(made.a, b, 'a', nodes.moment), a);
  t.same(shownOf(nodes, numbers), [false, false, false]);
  t.equal(nodes.numberOf(made.b, 1, 'b', nodes.moment), b);
  t.same(shownOf(nodes, numbers), [true, true, true]);
  nodes.doubt(b);
  nodes.shown(a, nodes.moment);
  t.same(shownOf(nodes, numbers), [true, true, false]);
  t.equal(nodes.get(a).children.get('b'), undefined);
  t.equal(nodes.get(b).children.get('c'), c);
});

t.test('what was found without a way to it is distinguished until there is one', async (t) => {
  const { nodes, made, numbers } = looked();
  const export1 = dir();
  const number = nodes.numberOf(export1, 0, 'one', nodes.moment);
  t.same([...nodes.pathless], [number]);
  t.ok(nodes.isShown(number));
  nodes.doubtAll();
  t.notOk(nodes.isShown(number));
  t.equal(nodes.numberOf(export1, numbers[2]!, 'one', nodes.moment), number);
  t.same([...nodes.pathless], []);
  t.equal(nodes.numberOf(made.c, 0, 'c', nodes.moment), numbers[2]);
  t.same([...nodes.pathless], [], 'a way that is known stays known');
  nodes.doubt(numbers[0]!);
  t.notOk(nodes.isShown(number));
  const other = nodes.numberOf(dir(), 0, 'other', nodes.moment);
  nodes.forget(other);
  t.same([...nodes.pathless], []);
});
