import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';

const top = resolve(import.meta.dirname, '../..');
const { ROOMS } = (await import(pathToFileURL(join(top, 'eslint.config.js')).href)) as {
  ROOMS: Record<string, readonly string[]>;
};

const HARD_LINES = 400;
const WISHED_LINES = 200;

const files = readdirSync(join(top, 'lib'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join('lib', name));

/** Each `from '…'` or `import('…')` of a file that is relative, as a path from the top; the text as written. */
function importsOf(file: string): { target: string; specifier: string; typeOnly: boolean }[] {
  const text = readFileSync(join(top, file), 'utf8');
  const statements = text.matchAll(
    /^(?:import|export)\s+(type\s)?[^'";]*?from '(\.[^']+)';|^import '(\.[^']+)';|\bimport\('(\.[^']+)'\)/gms,
  );
  return [...statements].map(([, type, from, bare, dynamic]) => {
    const specifier = (from ?? bare ?? dynamic)!;
    const target = relative(top, resolve(top, dirname(file), specifier)).replace(/\.js$/, '.ts');
    return { target, specifier, typeOnly: type !== undefined };
  });
}

/** The room of a file under lib, or undefined for lib/index.ts. */
function roomOf(file: string): string | undefined {
  const [, room, ...rest] = file.split('/');
  return rest.length > 0 ? room : undefined;
}

t.test('a room imports only the rooms that it may, through their index', async (t) => {
  for (const file of files) {
    const room = roomOf(file);
    if (room === undefined) continue;
    const allowed = Object.hasOwn(ROOMS, room) ? ROOMS[room]! : undefined;
    if (allowed === undefined) {
      t.fail(`${file} stands in a room that eslint.config.js does not know`);
      continue;
    }
    for (const { target, specifier } of importsOf(file)) {
      if (!target.startsWith('lib/')) t.fail(`${file} imports ${specifier}, which is outside lib`);
      const other = roomOf(target);
      if (other === room) continue;
      if (other === undefined || !allowed.includes(other))
        t.fail(
          `${file} imports ${specifier}: lib/${room} may import only ${allowed.join(', ') || 'nothing'}`,
        );
      else if (target !== `lib/${other}/index.ts` && target !== `lib/${other}/client/index.ts`)
        t.fail(`${file} imports ${specifier}: go through ${other}/index.js`);
    }
  }
  t.ok(files.length > 0);
});

t.test('the kernel protocol can be used by itself: it imports the numbers of Linux alone', async (t) => {
  for (const file of files.filter((name) => name.startsWith('lib/fuse/kernel/')))
    for (const { target, specifier } of importsOf(file))
      if (!target.startsWith('lib/fuse/kernel/') && target !== 'lib/linux/index.ts')
        t.fail(`${file} imports ${specifier}`);
  t.end();
});

t.test('the rooms have no cycle', async (t) => {
  t.equal(cycleIn(new Map(Object.entries(ROOMS))), null);
});

/** A directory makes its files, and a file knows its directory: the classes of such a tree are one type. */
const TREES = [/^lib\/tunnel\/client\/remote-/, /^lib\/providers\/export\//];

t.test('the files have no cycle, also where only types are imported', async (t) => {
  const isOfOneTree = (file: string, target: string): boolean =>
    TREES.some((tree) => tree.test(file) && tree.test(target));
  const graph = new Map(
    files.map((file) => [
      file,
      importsOf(file)
        .filter(({ typeOnly, target }) => !typeOnly || !isOfOneTree(file, target))
        .map(({ target }) => target),
    ]),
  );
  t.equal(cycleIn(graph), null);
});

t.test('each room opens its index with a paragraph', async (t) => {
  for (const room of new Set(files.map(roomOf))) {
    if (room === undefined) continue;
    const index = `lib/${room}/index.ts`;
    if (!files.includes(index)) {
      t.fail(`${index} is missing`);
      continue;
    }
    const opening = /^\/\*\*\n((?: \*.*\n)+) \*\/\n/.exec(readFileSync(join(top, index), 'utf8'));
    if (opening === null || opening[1]!.length < 80)
      t.fail(`${index} does not open with a paragraph on what the room is for`);
  }
  t.end();
});

t.test('files stay small enough to hold in mind', async (t) => {
  for (const file of files) {
    const lines = readFileSync(join(top, file), 'utf8').split('\n').length - 1;
    if (lines > HARD_LINES) t.fail(`${file} has ${lines} lines; the most is ${HARD_LINES}`);
    else if (lines > WISHED_LINES) t.comment(`${file} has ${lines} lines; ${WISHED_LINES} would be better`);
  }
  t.end();
});

t.test('the top level holds what it should', async (t) => {
  const folders = readdirSync(top).filter(
    (name) => !name.startsWith('.') && statSync(join(top, name)).isDirectory(),
  );
  const expected = [
    'bench',
    'bin',
    'clients',
    'console',
    'dist',
    'docs',
    'drivers',
    'examples',
    'lib',
    'manifests',
    'node_modules',
    'packaging',
    'test',
  ];
  const passing = ['mnt', 'coverage'];
  t.same(
    folders.filter((name) => !expected.includes(name) && !passing.includes(name)),
    [],
  );
});

/** A cycle as `a -> b -> a`, or null. */
function cycleIn(graph: ReadonlyMap<string, readonly string[]>): string | null {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (name: string): string | null => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name].join(' -> ');
    if (done.has(name)) return null;
    path.push(name);
    for (const next of graph.get(name) ?? []) {
      const cycle = visit(next);
      if (cycle !== null) return cycle;
    }
    path.pop();
    done.add(name);
    return null;
  };
  for (const name of graph.keys()) {
    const cycle = visit(name);
    if (cycle !== null) return cycle;
  }
  return null;
}
