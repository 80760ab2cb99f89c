import type { ControlStore, Invite, JoinRequest } from '../control/index.js';
import {
  FsError,
  documentFromJson,
  dropOldest,
  isJsonObject,
  timestamp,
  type JsonObject,
} from '../core/index.js';
import { requireAdmin } from './admin-check.js';
import type { Session } from '../policy/index.js';
import { Document, MapDir, StableSnapshots, nsFromMs, type Node, type Snapshot } from '../vfs/index.js';
import { RequestFile } from '../services/index.js';

/** How long an invite is good that does not say otherwise. */
const INVITE_TTL_MS = 60 * 60 * 1000;
/** Sessions whose last outcome is kept. */
const MAX_OUTCOMES = 64;

/** `/control/pairing/`: how admins let nodes in from a shell. */
export function pairingDir(store: ControlStore): MapDir {
  const pairing = new PairingFiles(store);
  const check = requireAdmin;
  const invites = new Map<string, Node>([
    ['create.json', pairing.request('node_invite_create', { ttl_ms: INVITE_TTL_MS }, createInvite(store))],
    ['active.json', pairing.document(() => documentFromJson(store.pairing.activeInvites().map(inviteFacts)))],
  ]);
  return new MapDir(
    new Map<string, Node>([
      ['pending.json', pairing.document(() => documentFromJson(store.pairing.pending().map(requestFacts)))],
      ['approve.json', pairing.request('node_join_approve', { request_id: '' }, approve(store))],
      ['deny.json', pairing.request('node_join_deny', { request_id: '' }, deny(store))],
      ['invites', new MapDir(invites, { check })],
      ['last_result.json', pairing.lastOf('result')],
      ['last_error.txt', pairing.lastOf('error')],
    ]),
    { check },
  );
}

type Act = (request: JsonObject) => JsonObject;

const createInvite =
  (store: ControlStore): Act =>
  ({ ttl_ms: ttlMs = INVITE_TTL_MS }) => {
    if (typeof ttlMs !== 'number' || !Number.isSafeInteger(ttlMs) || ttlMs < 1)
      throw new FsError('EINVAL', 'ttl_ms must be a whole number of milliseconds from 1.');
    const { invite, token } = store.pairing.createInvite(ttlMs);
    return { ...inviteFacts(invite), invite_token: token };
  };

const approve =
  (store: ControlStore): Act =>
  (request) => {
    const { lease_ttl_ms: ttlMs = null } = request;
    if (ttlMs !== null && (typeof ttlMs !== 'number' || !Number.isSafeInteger(ttlMs) || ttlMs < 1))
      throw new FsError('EINVAL', 'lease_ttl_ms must be a whole number of milliseconds from 1.');
    return requestFacts(store.pairing.approve(requestIdOf(request), ttlMs));
  };

const deny =
  (store: ControlStore): Act =>
  (request): JsonObject => {
    if (request['all'] === true) return { state: 'denied', denied: store.pairing.denyAll() };
    return { request_id: store.pairing.deny(requestIdOf(request)).requestId, state: 'denied' };
  };

function requestIdOf({ request_id: id }: JsonObject): string {
  if (typeof id === 'string' && id !== '') return id;
  throw new FsError('EINVAL', 'The object has no request_id.', {
    hint: 'pending.json lists the requests that wait, with their ids.',
  });
}

function inviteFacts(invite: Invite): JsonObject {
  return {
    invite_id: invite.inviteId,
    prefix: invite.prefix,
    created_at: timestamp(invite.createdAtMs),
    expires_at: timestamp(invite.expiresAtMs),
  };
}

function requestFacts(request: JoinRequest): JsonObject {
  return {
    request_id: request.requestId,
    verification_code: request.verificationCode,
    node_name: request.nodeName,
    platform: request.platform,
    labels: request.labels,
    address: request.address,
    state: request.state,
    created_at: timestamp(request.createdAtMs),
    expires_at: timestamp(request.expiresAtMs),
  };
}

/** What came of the last request of a session, as its files show it. */
interface Outcome {
  readonly result: Snapshot;
  readonly error: Snapshot;
}

/** Outcomes are for each session by itself: an invite's token is shown to the admin who made it. */
class PairingFiles {
  readonly #store: ControlStore;
  readonly #idle: Outcome;
  readonly #outcomes = new Map<string, Outcome>();

  constructor(store: ControlStore) {
    this.#store = store;
    this.#idle = { result: this.#snapshot(documentFromJson({ state: 'idle' })), error: this.#snapshot('') };
  }

  lastOf(file: keyof Outcome): Document {
    return new Document(
      (op) => {
        requireAdmin(op);
        return this.#outcomeOf(op.session)[file];
      },
      { freshness: 'live', mode: 0o400 },
    );
  }

  document(render: () => Buffer): Document {
    const texts = new StableSnapshots();
    return new Document(
      (op) => {
        requireAdmin(op);
        const now = this.#store.clock.now();
        return texts.snapshot(op.session, render(), now, now);
      },
      { freshness: 'live', mode: 0o400 },
    );
  }

  /** A file to which the objects of one kind of request are written; each is done, and recorded, or neither. */
  request(act: string, template: JsonObject, perform: Act): RequestFile {
    const store = this.#store;
    return new RequestFile({
      template,
      check: requireAdmin,
      perform: (request, { session }) => {
        if (!isJsonObject(request)) throw new FsError('EINVAL', 'It must be a JSON object.');
        const who = { session_id: session.id, role: session.role, agent_id: session.agentId };
        const done = (result: JsonObject): JsonObject => {
          this.#keep(session, {
            result: this.#snapshot(documentFromJson(result)),
            error: this.#snapshot(''),
          });
          return result;
        };
        const failed = (thrown: unknown): never => {
          store.later(() => store.audit.record({ act, outcome: 'error', ...who, ...targetOf(request) }));
          throw thrown;
        };
        try {
          const result = store.act(() => {
            store.audit.record({ act, outcome: 'ok', ...who, ...targetOf(request) });
            return perform(request);
          });
          return result instanceof Promise ? result.then(done, failed) : done(result);
        } catch (thrown) {
          return failed(thrown);
        }
      },
      failed: (error, session) =>
        this.#keep(session, {
          result: this.#outcomeOf(session).result,
          error: this.#snapshot(`${error.code}: ${error.sentence}\n`),
        }),
    });
  }

  #outcomeOf(session: Session): Outcome {
    return this.#outcomes.get(session.id) ?? this.#idle;
  }

  #keep({ id }: Session, outcome: Outcome): void {
    this.#outcomes.delete(id);
    this.#outcomes.set(id, outcome);
    dropOldest(this.#outcomes, MAX_OUTCOMES);
  }

  #snapshot(text: Buffer | string): Snapshot {
    return { bytes: Buffer.from(text), mtimeNs: nsFromMs(this.#store.clock.now()) };
  }
}

function targetOf({ request_id: id }: JsonObject): JsonObject {
  return typeof id === 'string' ? { target: { request_id: id } } : {};
}
