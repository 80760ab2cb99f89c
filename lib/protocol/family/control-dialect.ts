import { ownValue, type JsonObject } from '../../core/index.js';
import { ProtocolFault } from '../protocol-fault.js';
import { controlFault } from './control-codes.js';
import { controlAnswered, controlPushed } from './control-replies.js';
import { controlAsked, isNewerVersion } from './control-requests.js';

/**
 * The control messages as other programs of the family write them, on one connection. Their names for messages and fields are
 * taken in requests, and answers say both: ours are unchanged. A program shows that it is theirs by what it says; from then on
 * it is answered their codes, and texts where we have none.
 */
export class ControlDialect {
  readonly #url: string;
  #isTheirs: boolean;
  #agentId: string | undefined;
  /** Whether it calls the protocols as newer members do. */
  #isNewer = false;

  /** @param url how the peer reached us; @param isTheirs whether it has shown itself before its first request */
  constructor(url: string, isTheirs: boolean) {
    this.#url = url;
    this.#isTheirs = isTheirs;
  }

  get isTheirs(): boolean {
    return this.#isTheirs;
  }

  /** The request's payload with our names, and how to answer it. */
  ask(name: string, payload: JsonObject | undefined, isAlias: boolean): ControlTalk {
    const asked = payload ?? {};
    const { payload: ours, isTheirs } = askedOrRefused(name, payload);
    const agentId = ownValue(asked, 'agent_id');
    if (NAMING.has(name) && typeof agentId === 'string') this.#agentId = agentId;
    if (name === 'version') this.#isNewer = isNewerVersion(asked);
    // A node that proves itself by each request says nothing of who else uses the connection.
    const isOfNode = OF_NODES.has(name);
    if (isAlias || (isTheirs && !isOfNode)) this.#isTheirs = true;
    const speaksTheirs = this.#isTheirs || isTheirs;
    return {
      get payload() {
        if (ours instanceof ProtocolFault) throw ours;
        return ours;
      },
      connects: name === 'session_attach' && ownValue(asked, 'session_key') !== undefined,
      answered: (reply) =>
        controlAnswered(name, reply, {
          asked,
          url: this.#url,
          isTheirs: speaksTheirs,
          agentId: this.#agentId,
          isNewer: this.#isNewer,
        }),
      fault: (fault) => controlFault(name, fault, speaksTheirs),
    };
  }

  /** A pushed event, as this peer reads it. */
  pushed(payload: JsonObject): JsonObject {
    return this.#isTheirs ? controlPushed(payload) : payload;
  }
}

const OF_NODES = new Set(['node_lease_refresh', 'node_service_upsert', 'node_join_approve', 'node_delete']);

/** A payload that has no sense to us is refused when it is looked at: whether it may be sent at all is asked before. */
function askedOrRefused(
  name: string,
  payload: JsonObject | undefined,
): { readonly payload: JsonObject | ProtocolFault; readonly isTheirs: boolean } {
  try {
    return controlAsked(name, payload);
  } catch (thrown) {
    return { payload: ProtocolFault.from(thrown), isTheirs: true };
  }
}

/** Requests in which a program says which agent it is. */
const NAMING = new Set(['session_attach', 'agent_ensure']);

/** One request, and what becomes of it. */
export interface ControlTalk {
  /** It may come without `control.connect` before: a mount that dials anew attaches its session at once. */
  readonly connects: boolean;
  /** @throws ProtocolFault where it has no sense to us */
  readonly payload: JsonObject;
  answered(reply: object): object;
  fault(fault: ProtocolFault): ProtocolFault;
}
