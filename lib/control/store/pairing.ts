import { randomInt } from 'node:crypto';
import {
  FsError,
  idFrom,
  networkOf,
  TokenBuckets,
  type Clock,
  type JsonObject,
  type JsonValue,
} from '../../core/index.js';
import type { ControlDatabase, Row } from './database.js';
import type { EventLog } from './events.js';
import type { NodeFacts } from './node-record.js';
import { refuseReservedName } from './node-names.js';
import type { NodeCredentials, Nodes } from './nodes.js';
import { hashFromSecret, newPublicId, newSecret, secretMatches } from './secrets.js';

export const MAX_PENDING = 100;
/** Of these, so many may be of one address (of one /64, for IPv6), so that nobody fills the queue alone. */
export const MAX_PENDING_PER_ADDRESS = 25;
export const PENDING_TTL_MS = 60 * 60 * 1000;
const REQUESTS_PER_MINUTE = 10;

export interface JoinRequest {
  readonly requestId: string;
  readonly verificationCode: string;
  readonly nodeName: string;
  readonly platform: JsonValue;
  readonly labels: JsonObject;
  readonly address: string;
  readonly state: 'pending' | 'approved';
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

export interface Invite {
  readonly inviteId: string;
  /** The first characters of the token, to recognise it by. */
  readonly prefix: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

/** What happens in the same transaction as a node's joining. */
type Also = (nodeId: string) => void;
const nothingMore: Also = () => undefined;

/**
 * How a machine becomes a node: by an invite, or by a request that an admin approves. A refusal
 * costs a look-up: no transaction is opened for it.
 */
export class Pairing {
  readonly #db: ControlDatabase;
  readonly #clock: Clock;
  readonly #nodes: Nodes;
  readonly #events: EventLog;
  readonly #requests: TokenBuckets;

  constructor(db: ControlDatabase, clock: Clock, { nodes, events }: { nodes: Nodes; events: EventLog }) {
    this.#db = db;
    this.#clock = clock;
    this.#nodes = nodes;
    this.#events = events;
    this.#requests = new TokenBuckets({
      clock,
      burst: REQUESTS_PER_MINUTE,
      perSecond: REQUESTS_PER_MINUTE / 60,
    });
  }

  createInvite(ttlMs: number): { invite: Invite; token: string } {
    const inviteId = newPublicId(6);
    const secret = newSecret();
    const token = `acheron_invite_${inviteId}_${secret}`;
    const now = this.#clock.now();
    const invite = {
      inviteId,
      prefix: `acheron_invite_${inviteId}`,
      createdAtMs: now,
      expiresAtMs: now + ttlMs,
    };
    this.#db.change(() => {
      this.#sweep();
      this.#db.run(
        'INSERT INTO invites (invite_id, hash, prefix, created_at_ms, expires_at_ms) VALUES (?,?,?,?,?)',
        inviteId,
        hashFromSecret(token),
        invite.prefix,
        now,
        invite.expiresAtMs,
      );
      this.#happened({ invite_id: inviteId, state: 'invited' });
    });
    return { invite, token };
  }

  activeInvites(): Invite[] {
    return this.#db
      .all(
        'SELECT * FROM invites WHERE used_by IS NULL AND expires_at_ms > ? ORDER BY created_at_ms',
        this.#clock.now(),
      )
      .map((row) => ({
        inviteId: row['invite_id'] as string,
        prefix: row['prefix'] as string,
        createdAtMs: row['created_at_ms'] as number,
        expiresAtMs: row['expires_at_ms'] as number,
      }));
  }

  /** @throws FsError EACCES for a token that is unknown, used or expired; EINVAL for a name that none can have */
  joinByInvite(token: string, facts: NodeFacts, ttlMs: number, also: Also = nothingMore): NodeCredentials {
    const inviteId = this.checkInvite(token, facts);
    return this.#db.change(() => {
      const credentials = this.#nodes.join(facts, ttlMs);
      this.#db.run('UPDATE invites SET used_by = ? WHERE invite_id = ?', credentials.nodeId, inviteId);
      also(credentials.nodeId);
      return credentials;
    });
  }

  /** What `joinByInvite` refuses is refused here, without a transaction. Answers the id of the invite. */
  checkInvite(token: string, facts: NodeFacts): string {
    const inviteId = /^acheron_invite_([0-9a-f]{12})_/.exec(token)?.[1] ?? '';
    idFrom(facts.nodeName, 'The node name');
    refuseReservedName(facts.nodeName);
    const row = this.#db.get('SELECT * FROM invites WHERE invite_id = ?', inviteId);
    const matches = secretMatches(token, row?.['hash'] as Buffer | undefined);
    if (!matches || row?.['used_by'] !== null || (row['expires_at_ms'] as number) <= this.#clock.now()) {
      throw new FsError('EACCES', 'The invite token is unknown, used or expired.', {
        hint: 'Ask an admin for a new one: `acheron invite`.',
      });
    }
    return inviteId;
  }

  /** Why an invite is refused; to who has its whole token, more than that it is. */
  whyNot(token: string): 'not_found' | 'redeemed' | 'expired' {
    const inviteId = /^acheron_invite_([0-9a-f]{12})_/.exec(token)?.[1] ?? '';
    const row = this.#db.get('SELECT * FROM invites WHERE invite_id = ?', inviteId);
    if (row === undefined || !secretMatches(token, row['hash'] as Buffer)) return 'not_found';
    return row['used_by'] === null ? 'expired' : 'redeemed';
  }

  /** @throws FsError EBUSY when too many wait, or this address asks too often. */
  request(facts: NodeFacts, address: string): JoinRequest & { requestSecret: string } {
    idFrom(facts.nodeName, 'The node name');
    refuseReservedName(facts.nodeName);
    this.#checkRoom(address);
    const requestSecret = newSecret();
    const requestId = `r-${newPublicId(8)}`;
    const now = this.#clock.now();
    const code = `${letters(4)}-${letters(4)}`;
    this.#db.change(() => {
      this.#sweep();
      this.#db.run(
        `INSERT INTO join_requests (request_id, secret_hash, code, node_name, platform, labels, fs_url, address, state,
         created_at_ms, expires_at_ms) VALUES (?,?,?,?,?,?,?,?,'pending',?,?)`,
        requestId,
        hashFromSecret(requestSecret),
        code,
        facts.nodeName,
        JSON.stringify(facts.platform),
        JSON.stringify(facts.labels),
        facts.fsUrl,
        address,
        now,
        now + PENDING_TTL_MS,
      );
      this.#happened({ request_id: requestId, state: 'pending' });
    });
    return { ...this.#require(requestId), requestSecret };
  }

  /** Requests that wait for an admin. */
  pending(): JoinRequest[] {
    return this.#db
      .all(
        "SELECT * FROM join_requests WHERE state = 'pending' AND expires_at_ms > ? ORDER BY created_at_ms, request_id",
        this.#clock.now(),
      )
      .map(requestFromRow);
  }

  /** @throws FsError ENOENT */
  approve(requestId: string, ttlMs: number | null): JoinRequest {
    this.#requirePending(requestId);
    this.#db.change(() => {
      this.#db.run(
        "UPDATE join_requests SET state = 'approved', lease_ttl_ms = ?, expires_at_ms = ? WHERE request_id = ?",
        ttlMs,
        this.#clock.now() + PENDING_TTL_MS,
        requestId,
      );
      this.#happened({ request_id: requestId, state: 'approved' });
    });
    return this.#require(requestId);
  }

  /** @throws FsError ENOENT */
  deny(requestId: string): JoinRequest {
    const request = this.#requirePending(requestId);
    this.#db.change(() => this.#deny(requestId));
    return request;
  }

  /** Forgets all that wait, or all of one address; answers how many. */
  denyAll(address?: string): number {
    const denied = this.pending().filter((request) => address === undefined || request.address === address);
    this.#db.change(() => {
      for (const { requestId } of denied) this.#deny(requestId);
    });
    return denied.length;
  }

  #deny(requestId: string): void {
    this.#db.run('DELETE FROM join_requests WHERE request_id = ?', requestId);
    this.#happened({ request_id: requestId, state: 'denied' });
  }

  /** Admins who watch hear of it. */
  #happened(details: JsonObject): void {
    this.#events.append('pairing', null, details);
  }

  /**
   * The credentials of an approved request, once; undefined while it waits.
   * @throws FsError EACCES when it was denied, lapsed, or the secret is another's.
   */
  joinByRequest(
    requestId: string,
    secret: string,
    ttlMs: number,
    also: Also = nothingMore,
  ): NodeCredentials | undefined {
    const row = this.#requestOf(requestId, secret);
    return row['state'] === 'approved' ? this.#join(row, ttlMs, also) : undefined;
  }

  /** The same for the admin who has approved it, in place of the machine that asked. @throws FsError ENOENT */
  joinApproved(requestId: string, ttlMs: number): NodeCredentials {
    const row = this.#db.get(
      "SELECT * FROM join_requests WHERE request_id = ? AND state = 'approved'",
      requestId,
    );
    if (row === undefined) throw new FsError('ENOENT', `No request "${requestId}" was approved.`);
    return this.#join(row, ttlMs, nothingMore);
  }

  #join(row: Row, ttlMs: number, also: Also): NodeCredentials {
    const facts: NodeFacts = {
      nodeName: row['node_name'] as string,
      platform: JSON.parse(row['platform'] as string) as JsonValue,
      labels: JSON.parse(row['labels'] as string) as JsonObject,
      fsUrl: row['fs_url'] as string | null,
    };
    return this.#db.change(() => {
      const credentials = this.#nodes.join(facts, (row['lease_ttl_ms'] as number | null) ?? ttlMs);
      this.#db.run('DELETE FROM join_requests WHERE request_id = ?', row['request_id'] as string);
      this.#happened({ request_id: row['request_id'] as string, state: 'joined' });
      also(credentials.nodeId);
      return credentials;
    });
  }

  /** Whether the request was approved. @throws FsError EACCES as `joinByRequest` does, without a transaction */
  isApproved(requestId: string, secret: string): boolean {
    return this.#requestOf(requestId, secret)['state'] === 'approved';
  }

  #requestOf(requestId: string, secret: string): Row {
    const row = this.#db.get('SELECT * FROM join_requests WHERE request_id = ?', requestId);
    const matches = secretMatches(secret, row?.['secret_hash'] as Buffer | undefined);
    if (row === undefined || !matches || (row['expires_at_ms'] as number) <= this.#clock.now()) {
      throw new FsError('EACCES', 'The request was denied, has lapsed, or is not yours.', {
        hint: 'Ask again: run the node with `--pair-mode request`.',
      });
    }
    return row;
  }

  #requirePending(requestId: string): JoinRequest {
    const found = this.pending().find((request) => request.requestId === requestId);
    if (found === undefined) throw new FsError('ENOENT', `No request "${requestId}" waits for approval.`);
    return found;
  }

  #require(requestId: string): JoinRequest {
    return requestFromRow(this.#db.require('SELECT * FROM join_requests WHERE request_id = ?', requestId));
  }

  #sweep(): void {
    const now = this.#clock.now();
    this.#db.run('DELETE FROM join_requests WHERE expires_at_ms <= ?', now);
    this.#db.run('DELETE FROM invites WHERE expires_at_ms <= ?', now - PENDING_TTL_MS);
  }

  /** @throws FsError EBUSY; nothing is written for it. */
  #checkRoom(address: string): void {
    const network = networkOf(address);
    if (!this.#requests.take(network)) {
      throw new FsError('EBUSY', 'Too many pairing requests from this address.', {
        hint: 'Try again in a minute.',
      });
    }
    const waiting = this.pending();
    if (waiting.length >= MAX_PENDING) {
      throw new FsError('EBUSY', `${MAX_PENDING} nodes wait for approval already.`, {
        hint: 'An admin may approve or deny them; each lapses after an hour.',
      });
    }
    const own = waiting.filter((other) => networkOf(other.address) === network);
    if (own.length >= MAX_PENDING_PER_ADDRESS) {
      throw new FsError('EBUSY', `${own.length} nodes of this address wait for approval already.`, {
        hint: 'An admin may approve or deny them; each lapses after an hour.',
      });
    }
  }
}

/** Letters and digits that are not mistaken for each other when read aloud. */
const CODE_LETTERS = 'BCDFGHJKLMNPQRSTVWXZ23456789';

function letters(count: number): string {
  return Array.from({ length: count }, () => CODE_LETTERS[randomInt(CODE_LETTERS.length)]).join('');
}

function requestFromRow(row: Row): JoinRequest {
  return {
    requestId: row['request_id'] as string,
    verificationCode: row['code'] as string,
    nodeName: row['node_name'] as string,
    platform: JSON.parse(row['platform'] as string) as JsonValue,
    labels: JSON.parse(row['labels'] as string) as JsonObject,
    address: row['address'] as string,
    state: row['state'] as JoinRequest['state'],
    createdAtMs: row['created_at_ms'] as number,
    expiresAtMs: row['expires_at_ms'] as number,
  };
}
