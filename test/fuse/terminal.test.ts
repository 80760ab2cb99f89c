import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { cleanEnvironment, mountChild } from '../support/mount-child.js';

/** How long a shell may take to show its prompt again after Ctrl-C. */
const PROMPT_MS = 150;
/** A busy machine is given so many tries to do it once. */
const TRIES = 8;

/** A shell at a terminal of its own: types a call that waits, resizes the window, types Ctrl-C; prints how long the prompt took. */
const TERMINAL = `
import fcntl, json, os, pty, re, select, struct, sys, termios, time
tries = int(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.execvp('bash', ['bash', '--norc', '--noprofile', '-i'])
screen = b''
def until(what, seconds=10):
    global screen
    end = time.monotonic() + seconds
    while not re.search(what, screen):
        left = end - time.monotonic()
        if left <= 0: sys.exit('in vain for %r on %r' % (what, screen))
        if select.select([fd], [], [], left)[0]: screen += os.read(fd, 65536)
    screen = screen[re.search(what, screen).end():]
def number(name):
    with open(name) as file: return int(file.read())
def when(name, value, seconds=10):
    end = time.monotonic() + seconds
    while number(name) != value:
        if time.monotonic() > end: sys.exit('%s is not %d' % (name, value))
        time.sleep(0.005)
os.write(fd, b"PS1='rea''dy> '; trap : WINCH\\n")
until(rb'ready> ')
took, statuses = [], []
for turn in range(tries):
    os.write(fd, b'echo > wait\\n')
    when('waits', 1)
    for rows in (30, 40):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, 100, 0, 0))
        time.sleep(0.06)
    if number('gone') != turn: sys.exit('a resized window cancelled the call')
    screen = b''
    typed = time.monotonic()
    os.write(fd, b'\\x03')
    until(rb'ready> ')
    took.append(round(1000 * (time.monotonic() - typed)))
    os.write(fd, b'echo status=$?.\\n')
    until(rb'status=\\d+\\.\\r?\\n')
    until(rb'ready> ')
    when('gone', turn + 1)
    if took[-1] <= ${PROMPT_MS} and turn >= 2: break
os.write(fd, b'exit\\n')
print(json.dumps(took))
`;

for (const reader of ['pipe', 'thread'] as const)
  t.test(
    `Ctrl-C gives the prompt back within ${PROMPT_MS} ms; a resized window cancels nothing (reader: ${reader})`,
    async (t) => {
      const { dir } = await mountChild(t, {
        fixture: {
          module: new URL('../support/bridge-tree.js', import.meta.url).href,
          name: 'createBridgeTree',
        },
        binding: 'kernel',
        reader,
      });
      const terminal = spawn('python3', ['-c', TERMINAL, String(TRIES)], {
        cwd: dir,
        env: { ...cleanEnvironment(), TERM: 'dumb', LC_ALL: 'C' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      t.teardown(() => terminal.kill('SIGKILL'));
      let said = '';
      for (const stream of [terminal.stdout, terminal.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => (said += text));
      const [status] = (await once(terminal, 'close')) as [number];
      t.equal(status, 0, said);
      const tookMs = JSON.parse(said) as number[];
      t.comment(`ms: ${tookMs.join(' ')}`);
      t.ok(Math.min(...tookMs) <= PROMPT_MS, said);
      t.equal(Number(await readFile(join(dir, 'gone'), 'utf8')), tookMs.length);
    },
  );
