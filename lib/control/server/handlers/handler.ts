import { canonicalJson, FsError, type JsonObject } from '../../../core/index.js';
import type { ControlName, ControlReply, ControlRequest } from '../../../protocol/index.js';
import { keyedHash } from '../../store/secrets.js';
import type { Peer } from '../peer.js';

/** Does what a request asks and answers its reply; what it throws becomes the error. */
export type Handler<Name extends ControlName> = (
  connection: Peer,
  payload: ControlRequest<Name>,
) => ControlReply<Name> | Promise<ControlReply<Name>>;

export type Handlers<Name extends ControlName> = { readonly [Key in Name]: Handler<Key> };

/**
 * An admin's act and its line in the audit log, in one transaction: if it cannot be recorded, it does not
 * happen. An act that fails is recorded too.
 */
export function audited<Name extends ControlName>(
  name: Name,
  handler: (connection: Peer, payload: ControlRequest<Name>) => ControlReply<Name>,
): Handler<Name> {
  return (connection, payload) => recorded(name, connection, payload, () => handler(connection, payload));
}

/** The same, of a part of what a request does. */
export async function recorded<T>(
  name: ControlName,
  connection: Peer,
  payload: object,
  work: () => T,
): Promise<T> {
  const { store } = connection.context;
  const facts: JsonObject = {
    ...connection.who(),
    ...target(payload),
    payload_hash: keyedHash(store.keys.audit, canonicalJson(payload)),
  };
  try {
    return await store.commitThoughFull(() => {
      store.audit.record({ act: name, outcome: 'ok', ...facts });
      return work();
    });
  } catch (thrown) {
    // It may have been made: its line was then, too. What there is to say now is that nobody knows.
    if (FsError.from(thrown).code === 'EHOSTDOWN') throw thrown;
    await store.commitThoughFull(() => store.audit.record({ act: name, outcome: 'error', ...facts }));
    throw thrown;
  }
}

/** What an act is about, where its payload names it; never a secret. */
function target(payload: object): JsonObject {
  const names = ['project_id', 'node_id', 'token_id', 'request_id', 'role', 'agent_id'];
  const about: [string, string][] = [];
  for (const [key, value] of Object.entries(payload) as [string, unknown][]) {
    if (names.includes(key) && typeof value === 'string') about.push([key, value]);
  }
  return about.length === 0 ? {} : { target: Object.fromEntries(about) };
}
