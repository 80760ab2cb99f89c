import { isId, isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';

export const ACTIONS = ['observe', 'read', 'write', 'invoke', 'control', 'mount', 'admin'] as const;
export type Action = (typeof ACTIONS)[number];

export const MODES = ['open', 'token', 'admin', 'deny'] as const;

const actions = new Set<string>(ACTIONS);
const modes = new Set<unknown>(MODES);
const readable = new WeakMap<JsonObject, boolean>();

/** What is wrong with a project's `access_policy`, and where; undefined for one that is right. */
export function policyFault(policy: JsonValue): string | undefined {
  if (!isJsonObject(policy)) return 'access_policy is not an object';
  const { agents, ...own } = policy;
  const fault = faultOfEntry('access_policy', own);
  return fault ?? (agents === undefined ? undefined : faultOfAgents(agents));
}

/**
 * Whether a policy, or an agent's entry in it, says what it means: an action or a mode that nobody knows may
 * have been meant to deny; only to open what nobody knows opens nothing. The entries of agents within it are
 * not looked at.
 */
export function isReadableEntry(entry: JsonObject): boolean {
  let found = readable.get(entry);
  if (found === undefined) {
    const named = ownValue(entry, 'actions') ?? {};
    found = isJsonObject(named) && entry['actions'] !== null;
    for (const [action, mode] of [...Object.entries(entry), ...Object.entries(named)]) {
      if (action === 'actions' || action === 'agents' || action === 'agent_id') continue;
      found &&= actions.has(action) ? modes.has(mode) : mode === 'open';
    }
    readable.set(entry, found);
  }
  return found;
}

/** `{"actions": {action: mode}}`, or flat `{action: mode}`, or both. */
function faultOfEntry(where: string, entry: JsonObject): string | undefined {
  for (const [key, value] of Object.entries(entry)) {
    if (key !== 'actions') {
      const fault = faultOfMode(where, key, value);
      if (fault !== undefined) return fault;
      continue;
    }
    if (!isJsonObject(value)) return `${where}.actions is not an object`;
    for (const [action, mode] of Object.entries(value)) {
      const fault = faultOfMode(`${where}.actions`, action, mode);
      if (fault !== undefined) return fault;
    }
  }
  return undefined;
}

function faultOfMode(where: string, action: string, mode: JsonValue): string | undefined {
  if (!actions.has(action))
    return `${where} names ${JSON.stringify(action)}, which is no action (${ACTIONS.join(', ')})`;
  if (!modes.has(mode)) return `${where}.${action} is not one of ${MODES.join(', ')}`;
  return undefined;
}

/** `{agent_id: {…}}`, or `[{agent_id, actions}]`. */
function faultOfAgents(agents: JsonValue): string | undefined {
  if (isJsonObject(agents)) {
    for (const [id, entry] of Object.entries(agents)) {
      const where = `access_policy.agents.${id}`;
      if (!isJsonObject(entry)) return `${where} is not an object`;
      const fault = faultOfEntry(where, entry);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  if (!Array.isArray(agents)) return 'access_policy.agents is neither an object nor a list';
  const seen = new Set<string>();
  for (const [index, entry] of (agents as readonly JsonValue[]).entries()) {
    const where = `access_policy.agents[${index}]`;
    if (!isJsonObject(entry)) return `${where} is not an object`;
    const { agent_id: id, ...own } = entry;
    if (!isId(id)) return `${where} has no valid agent_id`;
    if (seen.has(id)) return `${where} names the agent "${id}" a second time`;
    seen.add(id);
    const fault = faultOfEntry(where, own);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
