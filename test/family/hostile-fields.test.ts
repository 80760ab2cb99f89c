import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import {
  acheronEnvelope,
  ControlDialect,
  FilesDialect,
  NodeDialect,
  ProtocolFault,
  type AcheronEnvelope,
} from '../../lib/protocol/index.js';
import { extent } from '../support/extent.js';
import fc from '../support/properties.js';

const numRuns = extent('ACHERON_FUZZ_RUNS', { short: 400, long: 20_000 });

/** Fields that a dialect looks at, and a few that it does not. */
const field = fc.constantFrom(
  ...['attr', 'ents', 'next_cookie', 'h', 'caps', 'n', 'exports', 'name', 'root', 'id', 'k', 'm', 'sz', 'at'],
  ...[
    'cookie',
    'count',
    'max',
    'off',
    'len',
    'mode',
    'flags',
    'old_parent',
    'new_parent',
    'to_node',
    'data_b64',
  ],
  ...[
    'venoms',
    'services',
    'operator_token',
    'session_key',
    'workspace_id',
    'project_token',
    'mounts',
    'agent_id',
  ],
  ...[
    'entries',
    'kind',
    'node',
    'size',
    'handle',
    'eof',
    'capabilities',
    '__proto__',
    'constructor',
    'length',
  ],
);
const leaf = fc.oneof(
  fc.constantFrom(
    null,
    true,
    -1,
    0,
    1,
    2 ** 53,
    1e300,
    '',
    '..',
    'svc-echo',
    'svc-',
    'a/b',
    '9'.repeat(400),
    '*',
  ),
  fc.string({ maxLength: 8 }),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('any'), { maxLength: 4 }), tie('object')),
  object: fc.dictionary(field, tie('any'), { maxKeys: 6 }),
}));
const payload = value.object as fc.Arbitrary<JsonObject>;
const message = fc.constantFrom(
  ...[
    'hello',
    'exports',
    'lookup',
    'getattr',
    'setattr',
    'readdirp',
    'open',
    'create',
    'read',
    'write',
    'close',
  ],
  ...[
    'truncate',
    'mkdir',
    'symlink',
    'rename',
    'statfs',
    'cancel',
    'forget',
    'flush',
    'listxattr',
    'lock',
    'odd',
  ],
);
const number = fc.option(fc.constantFrom(0, 1, 2, 3, 9, 0x7000_0001), { nil: undefined });
const frameOf = (start: string): fc.Arbitrary<AcheronEnvelope> =>
  fc
    .record({
      name: message,
      tag: number,
      node: number,
      h: number,
      payload: fc.option(payload, { nil: undefined }),
    })
    .map(({ name, ...rest }) => {
      const given = Object.entries(rest).filter(([, one]) => one !== undefined);
      return {
        channel: 'acheron',
        type: `acheron.${start}_fs_${name}`,
        ...Object.fromEntries(given),
      };
    });
const refusal = fc.record({ tag: number, error: payload }).map(({ tag = 1, error }): AcheronEnvelope => ({
  channel: 'acheron',
  type: 'acheron.err_fs',
  tag,
  ok: false,
  error,
}));

t.test('whatever a mount of the family asks, its request becomes a frame or stays one', async (t) => {
  fc.assert(
    fc.property(fc.array(frameOf('t'), { maxLength: 8 }), (frames) => {
      const dialect = new FilesDialect();
      for (const frame of frames)
        if (!acheronEnvelope.safeParse(dialect.received(frame)).success) return false;
      return true;
    }),
    { numRuns },
  );
  t.pass(`${numRuns} times`);
});

t.test(
  'whatever a node of the family answers or reports, its frame becomes one of ours or is dropped',
  async (t) => {
    // What is asked on our side names nodes that are there.
    const asked = frameOf('t').map((frame) => ({ ...frame, node: Math.max(1, frame.node ?? 1) }));
    const step = fc.oneof(
      asked.map((frame) => ({ way: 'sent', frame }) as const),
      fc
        .oneof(frameOf('r'), frameOf('e'), frameOf('t'), refusal)
        .map((frame) => ({ way: 'received', frame }) as const),
    );
    let passed = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 16 }), (steps) => {
        const shown: AcheronEnvelope[] = [];
        const said: AcheronEnvelope[] = [];
        const dialect = new NodeDialect({
          toPeer: (one) => said.push(one),
          toAsker: (one) => shown.push(one),
        });
        for (const { way, frame } of steps) {
          const other = dialect[way](frame);
          if (other !== undefined) (way === 'sent' ? said : shown).push(other);
        }
        passed += shown.length;
        return [...shown, ...said].every((frame) => acheronEnvelope.safeParse(frame).success);
      }),
      { numRuns },
    );
    t.ok(passed > numRuns, "most of it comes through, to be checked by each message's schema");
  },
);

t.test('whatever a control program says, its request becomes a payload or is a fault', async (t) => {
  const name = fc.constantFrom(
    ...['session_attach', 'session_close', 'node_invite_create', 'node_join_approve', 'node_service_upsert'],
    ...[
      'project_create',
      'project_update',
      'project_up',
      'project_mount_set',
      'workspace_status',
      'auth_rotate',
    ],
  );
  fc.assert(
    fc.property(name, payload, fc.boolean(), payload, (what, asked, isAlias, reply) => {
      const dialect = new ControlDialect('ws://127.0.0.1:1', false);
      try {
        const talk = dialect.ask(what, asked, isAlias);
        talk.fault(new ProtocolFault('not_found', 'There is none.'));
        return typeof talk.payload === 'object' && typeof reply === 'object';
      } catch (thrown) {
        return thrown instanceof ProtocolFault;
      }
    }),
    { numRuns },
  );
  t.notOk('session_key' in {}, 'no prototype was changed');
});
