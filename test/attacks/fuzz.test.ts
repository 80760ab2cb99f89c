import t, { type Test } from 'tap';
import { WebSocket, type RawData } from 'ws';
import { CONTROL_MESSAGES, FS_EVENTS, FS_MESSAGES, TUNNEL_EVENTS } from '../../lib/protocol/index.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import type { RawClient } from '../support/raw-client.js';
import { SEED, extent } from '../support/extent.js';
import { Random } from '../support/random.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';
import { generate, type Words } from './fixtures/generate.js';

/** How many messages each role sends: `ACHERON_FUZZ_MESSAGES=25000`. */
const MESSAGES = extent('ACHERON_FUZZ_MESSAGES', { short: 600, long: 25_000 });
/** What a valid peer may wait for an answer beside any attack. */
const SLOWEST_MS = 5_000;
/** Only admins may ever read this word. */
const CANARY = 'canary-7f3a';

type Role = 'stranger' | 'user' | 'node' | 'admin';

interface Under {
  readonly served: PlaneWithNode;
  readonly userToken: string;
  readonly adminToken: string;
  /** That of the valid peers. */
  readonly aliceToken: string;
  /** The credentials of a node that an attacker has. */
  readonly evil: { readonly node_id: string; readonly node_secret: string };
}

async function start(t: Test): Promise<Under> {
  const served = await PlaneWithNode.start(t, 'through a tunnel', [
    shellManifest('open', 'cat'),
    shellManifest(`hidden-${CANARY}`, `echo '{"secret":"${CANARY}"}'`, {
      permissions: { allow_roles: ['admin'] },
      help_md: `# ${CANARY}`,
    }),
  ]);
  await served.node.write(served.node.path(`hidden-${CANARY}`, 'control/invoke.json'), '{}');
  await served.node.write(
    served.node.path('open', 'control/invoke.json'),
    JSON.stringify({ secret: CANARY, _key: CANARY }),
  );
  const { plane } = served;
  const invite = plane.control.store.pairing.createInvite(60_000).token;
  const guest = served.client({ token: served.token('admin') });
  await guest.ready();
  const joined = await guest.request('node_join', { node_name: 'evil', invite_token: invite });
  return {
    served,
    userToken: served.token('user', 'mallory'),
    adminToken: served.token('admin', 'root'),
    aliceToken: served.token('user', 'alice'),
    evil: { node_id: joined.node_id!, node_secret: joined.node_secret! },
  };
}

/** What an attacker of this role would put into fields. */
function wordsOf(role: Role, { evil, userToken, adminToken }: Under): Words {
  const common = [
    'n1',
    'open',
    'nodes',
    'services',
    'README.md',
    'NODES.json',
    'fs',
    'control',
    'jobs',
    'latest',
  ];
  const files = ['events.ndjson', 'session.json', 'status.json', 'result.json', 'invoke.json', 'by-key'];
  const shapes = [
    'unified-v2',
    'unified-v2-fs',
    '1',
    'AAAA',
    'a'.repeat(64),
    'project-1',
    'local',
    'session-1',
  ];
  const own = role === 'node' ? Object.values(evil) : role === 'user' ? [userToken] : [];
  return [...common, ...files, ...shapes, ...own, ...(role === 'admin' ? [adminToken.slice(0, 8)] : [])];
}

/** Requests by which an admin rightly ends what the valid peers live on. */
const NOT_FOR_ADMINS = new Set(['node_delete', 'token_revoke', 'session_close', 'node_join']);

/** A frame, and what it carries in base64. */
function textOf(frame: Buffer): string {
  const text = frame.toString('latin1');
  const contents = text.matchAll(/_b64":"([A-Za-z0-9+/=]+)"/g);
  return [text, ...Array.from(contents, ([, base64]) => Buffer.from(base64!, 'base64').toString())].join(
    '\n',
  );
}

class Attacker {
  readonly socket: WebSocket;
  /** Bytes that came, and whether the canary was among them. */
  received = 0;
  leaked: string | undefined;
  #tag = 1;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('message', (data: RawData) => {
      const text = textOf(data as Buffer);
      this.received++;
      if (text.includes(CANARY)) this.leaked ??= text.slice(0, 400);
    });
  }

  /** An upgrade that may be refused: then there is no attacker, and that is well. */
  static async open(url: string, token: string | undefined): Promise<Attacker | undefined> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(url, { headers, perMessageDeflate: false });
    const attacker = new Attacker(socket);
    return new Promise((resolve) => {
      socket.once('open', () => resolve(attacker));
      socket.once('close', () => resolve(undefined));
    });
  }

  send(frame: object | string): void {
    if (this.socket.readyState === WebSocket.OPEN)
      this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  control(random: Random, words: Words, role: Role): void {
    const names = Object.keys(CONTROL_MESSAGES).filter(
      (name) => name !== 'auth_rotate' && (role !== 'admin' || !NOT_FOR_ADMINS.has(name)),
    );
    const name = random.of(names) as keyof typeof CONTROL_MESSAGES;
    const payload = generate(CONTROL_MESSAGES[name].request, random, words);
    this.send({ channel: 'control', type: `control.${name}`, id: String(this.#tag++), payload });
  }

  files(random: Random, words: Words): void {
    const name = random.of(Object.keys(FS_MESSAGES)) as keyof typeof FS_MESSAGES;
    const payload = generate(FS_MESSAGES[name].request, random, words) as object;
    const root = { node: 1 + random.below(40), h: random.below(20), s: random.of(words) };
    this.send({ channel: 'acheron', type: `acheron.t_fs_${name}`, tag: this.#tag++, ...root, payload });
  }

  /** What a node, or somebody who plays one, pushes. */
  event(random: Random, words: Words): void {
    const events = { ...FS_EVENTS, ...TUNNEL_EVENTS };
    const name = random.of(Object.keys(events)) as keyof typeof events;
    const payload = generate(events[name].payload, random, words);
    this.send({ channel: 'acheron', type: `acheron.${name}`, payload });
  }

  /** Answers what the control plane asks of a node with anything, or never. */
  answerAsNode(random: Random, words: Words): void {
    this.socket.on('message', (data: RawData, isBinary: boolean) => {
      if (isBinary) return;
      const { type, tag } = JSON.parse((data as Buffer).toString()) as { type: string; tag?: number };
      const name = type.slice('acheron.t_fs_'.length) as keyof typeof FS_MESSAGES;
      const message = Object.hasOwn(FS_MESSAGES, name) ? FS_MESSAGES[name] : undefined;
      if (tag === undefined || message === undefined || random.below(12) === 0) return;
      const wrongTag = random.below(20) === 0 ? tag + 1 : tag;
      if (random.below(6) === 0) {
        const error = { errno: random.of([2, 5, 13, 0, -1, 99_999]), message: random.of(words) };
        this.send({ channel: 'acheron', type: 'acheron.err_fs', tag: wrongTag, ok: false, error });
        return;
      }
      const payload = generate(message.reply, random, words, 40);
      this.send({ channel: 'acheron', type: `acheron.r_fs_${name}`, tag: wrongTag, ok: true, payload });
    });
  }
}

const CONNECT = [
  '{"channel":"control","type":"control.version","id":"v","payload":{"protocol":"unified-v2"}}',
  '{"channel":"control","type":"control.connect","id":"c"}',
];
const hello = (more: object = {}): object => ({
  channel: 'acheron',
  type: 'acheron.t_fs_hello',
  tag: 0,
  payload: { protocol: 'unified-v2-fs', proto: 2, ...more },
});

/** Valid peers of both endpoints, and a walker of what the evil node shows. */
async function bystanderOf(
  t: Test,
  { served, aliceToken }: Under,
): Promise<{ look(): Promise<void>; slowestMs: number }> {
  const { control, files } = await served.session({ token: aliceToken });
  t.teardown(() => control.close());
  const seen = {
    slowestMs: 0,
    async look(): Promise<void> {
      const start = performance.now();
      await control.request('ping', {});
      const found = await files.ask('t_fs_lookup', { node: 1 }, { name: 'README.md' });
      if (found.type !== 'acheron.r_fs_lookup') throw new Error(JSON.stringify(found));
      seen.slowestMs = Math.max(seen.slowestMs, performance.now() - start);
    },
  };
  await seen.look();
  return seen;
}

/** An admin that walks through what the attacker's node shows, and believes all of it. */
class Walker {
  readonly #files: RawClient;

  private constructor(files: RawClient) {
    this.#files = files;
  }

  static async start(t: Test, { served, evil, adminToken }: Under): Promise<Walker> {
    const descriptor = { service_id: 'bait', kind: 'test', permissions: { allow_roles: ['admin', 'user'] } };
    const { control, files } = await served.session({ token: adminToken });
    t.teardown(() => control.close());
    await control.request('node_service_upsert', { ...evil, services: [descriptor] });
    return new Walker(files);
  }

  step(random: Random): void {
    const path = ['nodes', 'evil', 'services', 'bait', random.of(['status.json', 'jobs', 'control', 'x'])];
    const node = 1 + random.below(60);
    const ask = random.of<() => Promise<unknown>>([
      () =>
        this.#files.ask('t_fs_lookup', { node: 1 }, { path: path.slice(0, 1 + random.below(5)).join('/') }),
      () => this.#files.ask('t_fs_readdirp', { node }, { cookie: 0, plus: random.below(2) === 0 }),
      () => this.#files.ask('t_fs_open', { node }, { mode: random.of(['r', 'rw']) }),
      () => this.#files.ask('t_fs_read', { h: random.below(60) }, { offset: 0, count: 65_536 }),
      () => this.#files.ask('t_fs_write', { h: random.below(60) }, { offset: 0, data_b64: 'e30K' }),
      () => this.#files.ask('t_fs_readlink', { node }, {}),
    ]);
    void ask();
  }
}

/** Sends `MESSAGES` on connections of the role, some at a time, and looks at the valid peers in between. */
async function attack(t: Test, role: Role, under: Under): Promise<void> {
  const { url } = under.served.plane;
  const random = new Random(SEED + role.length);
  const words = wordsOf(role, under);
  const bystander = await bystanderOf(t, under);
  const token = role === 'user' ? under.userToken : role === 'admin' ? under.adminToken : undefined;
  const walker = role === 'node' ? await Walker.start(t, under) : undefined;
  let leaked: string | undefined;
  let received = 0;
  for (let sent = 0; sent < MESSAGES;) {
    const onFiles = random.below(2) === 0;
    const attacker = await Attacker.open(`${url}${onFiles ? '/v2/fs' : '/'}`, token);
    const burst = Math.min(1 + random.below(60), MESSAGES - sent);
    sent += burst;
    if (attacker === undefined) continue;
    if (random.below(8) !== 0)
      for (const frame of onFiles ? [hello(role === 'node' ? under.evil : {})] : CONNECT)
        attacker.send(frame);
    if (role === 'node' && onFiles) attacker.answerAsNode(random, words);
    for (let message = 0; message < burst; message++) {
      if (onFiles && random.below(role === 'node' ? 2 : 10) === 0) attacker.event(random, words);
      else if (onFiles) attacker.files(random, words);
      else attacker.control(random, words, role);
      walker?.step(random);
    }
    await bystander.look();
    attacker.socket.terminate();
    leaked ??= attacker.leaked;
    received += attacker.received;
  }
  t.ok(
    bystander.slowestMs < SLOWEST_MS,
    `the valid peers waited ${Math.round(bystander.slowestMs)} ms at most`,
  );
  t.ok(received > MESSAGES / 60, `it was answered: ${received} frames`);
  if (role !== 'admin') t.equal(leaked, undefined, 'nothing of what only admins may read came back');
  t.equal((Object.prototype as { polluted?: unknown }).polluted, undefined);
}

t.test(`generated messages of every role disturb nobody and betray nothing`, async (t) => {
  const under = await start(t);
  const { store } = under.served.plane.control;
  const tokensBefore = store.tokens.list().length;
  for (const role of ['stranger', 'user', 'node'] as const)
    await t.test(`as ${role}`, (t) => attack(t, role, under));
  t.equal(store.tokens.list().length, tokensBefore, 'no token was made or revoked');
  t.same([...store.nodes.list()].map(({ nodeId }) => nodeId).sort(), ['evil', 'n1'], 'no node came or went');
  await t.test('as admin', (t) => attack(t, 'admin', under));
  await until(() => under.served.plane.control.store.nodes.get('n1') !== undefined, 'the node to be there');
});
