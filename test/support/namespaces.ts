import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Host } from './hosts.js';

interface Teardown {
  teardown(callback: () => void | Promise<void>): void;
}

/** Why there are no machines of their own here; false where there are. */
export const noNamespaces = ((): string | false => {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const name = `acheron-try-${process.pid}`;
  try {
    ip(['netns', 'add', name]);
    ip(['-n', name, 'rule', 'add', 'from', '192.0.2.1', 'to', '192.0.2.2', 'blackhole']);
    ip(['netns', 'del', name]);
    return false;
  } catch (thrown) {
    return `network namespaces cannot be made: ${String((thrown as { stderr?: unknown }).stderr ?? thrown)}`;
  }
})();

/** Of 198.18.0.0/15, which is there for tests of networks; each machine has four addresses of it, with its router. */
const BLOCK = `198.18.${process.pid % 256}`;

/**
 * Machines of their own, as network namespaces, with one router between them. What goes from one to another can be dropped there, in one
 * direction, without a word to either; and a machine's line can be made slow.
 */
export class Namespaces {
  readonly #router = `acheron-${process.pid}-r`;
  readonly #hosts = new Map<string, { readonly host: Host; readonly space: string; readonly link: string }>();
  #emulates: boolean | undefined;

  /** This process is on a machine of its own too, that of the clients. */
  static start(t: Teardown): Namespaces {
    return new Namespaces(t);
  }

  private constructor(t: Teardown) {
    ip(['netns', 'add', this.#router]);
    t.teardown(() => {
      for (const { space } of this.#hosts.values()) if (space !== '') ip(['netns', 'del', space]);
      ip(['netns', 'del', this.#router]);
    });
    inside(this.#router, 'echo 1 > /proc/sys/net/ipv4/ip_forward');
    ip(['-n', this.#router, 'link', 'set', 'lo', 'up']);
    this.#join('clients', '');
  }

  /** A machine by this name; made where there is none yet. */
  host(name: string): Host {
    const there = this.#hosts.get(name);
    if (there !== undefined) return there.host;
    const space = `acheron-${process.pid}-${this.#hosts.size}`;
    ip(['netns', 'add', space]);
    ip(['-n', space, 'link', 'set', 'lo', 'up']);
    return this.#join(name, space);
  }

  /** What `from` sends does not come to `to` any more. */
  drop(from: string, to: string): Promise<void> {
    return this.#rule('add', from, to);
  }

  pass(from: string, to: string): Promise<void> {
    return this.#rule('del', from, to);
  }

  /** The line of this machine is slow and loses packets, until `fast`. Answers by what means. */
  async slow(name: string): Promise<'netem' | 'tbf'> {
    const { link } = this.#of(name);
    if (this.#emulates !== false) {
      const delays = ['netem', 'delay', '60ms', '20ms', 'loss', '2%'];
      this.#emulates = await this.#queue(link, 'replace', delays).then(
        () => true,
        () => false,
      );
    }
    if (this.#emulates) return 'netem';
    // A kernel without it: so narrow a line, with so short a queue, delays by up to 400 ms and drops what is more.
    await this.#queue(link, 'replace', ['tbf', 'rate', '400kbit', 'burst', '4kb', 'latency', '400ms']);
    return 'tbf';
  }

  async fast(name: string): Promise<void> {
    await this.#queue(this.#of(name).link, 'del', []).catch(() => undefined);
  }

  #join(name: string, space: string): Host {
    const n = this.#hosts.size;
    const link = `acr${n}`;
    const near = `acn${process.pid}-${n}`;
    const [routerAt, address] = [`${BLOCK}.${4 * n + 1}`, `${BLOCK}.${4 * n + 2}`];
    const inSpace = space === '' ? [] : ['-n', space];
    const end = space === '' ? near : 'eth0';
    ip(['link', 'add', near, 'type', 'veth', 'peer', 'name', link, 'netns', this.#router]);
    if (space !== '') ip(['link', 'set', near, 'netns', space, 'name', end]);
    ip([...inSpace, 'addr', 'add', `${address}/30`, 'dev', end]);
    ip([...inSpace, 'link', 'set', end, 'up']);
    ip(['-n', this.#router, 'addr', 'add', `${routerAt}/30`, 'dev', link]);
    ip(['-n', this.#router, 'link', 'set', link, 'up']);
    ip([...inSpace, 'route', 'add', space === '' ? `${BLOCK}.0/24` : 'default', 'via', routerAt]);
    // Not `ip netns exec`: what it runs has mounts of its own, which nobody else sees.
    const by = space === '' ? [] : ['nsenter', `--net=/run/netns/${space}`, '--'];
    const host = { address, by };
    this.#hosts.set(name, { host, space, link });
    return host;
  }

  #rule(act: 'add' | 'del', from: string, to: string): Promise<void> {
    const pair = ['from', this.#of(from).host.address, 'to', this.#of(to).host.address];
    return run('ip', ['-n', this.#router, 'rule', act, ...pair, 'blackhole']);
  }

  #queue(link: string, act: 'replace' | 'del', discipline: readonly string[]): Promise<void> {
    return run('tc', ['-n', this.#router, 'qdisc', act, 'dev', link, 'root', ...discipline]);
  }

  #of(name: string): { readonly host: Host; readonly space: string; readonly link: string } {
    const found = this.#hosts.get(name);
    if (found === undefined) throw new Error(`There is no machine "${name}".`);
    return found;
  }
}

function ip(args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function inside(space: string, script: string): void {
  execFileSync('nsenter', [`--net=/run/netns/${space}`, '--', 'sh', '-c', script]);
}

/** Not a synchronous call: clients of this process are to go on meanwhile. */
async function run(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${said}`);
}
