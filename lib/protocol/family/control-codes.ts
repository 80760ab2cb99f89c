import { FsError } from '../../core/index.js';
import { ProtocolFault } from '../protocol-fault.js';
import { fileCodeOf } from './runtime-dialect.js';

type Codes = Readonly<Record<string, string>>;

const NODE: Codes = { not_found: 'node_not_found', provider_auth_failed: 'node_auth_failed' };
const PENDING: Codes = { not_found: 'pending_join_not_found' };
const PROJECT: Codes = { not_found: 'project_not_found', forbidden: 'project_auth_failed' };

/** How the family's programs call what is wrong, by message, where they have a code of their own. */
const CODES: Readonly<Record<string, Codes>> = {
  version: { unsupported_protocol: 'protocol_mismatch' },
  node_get: NODE,
  node_delete: NODE,
  node_lease_refresh: NODE,
  node_service_upsert: NODE,
  node_service_get: NODE,
  node_service_watch: NODE,
  node_join_approve: PENDING,
  node_join_deny: PENDING,
  session_attach: PROJECT,
  project_get: PROJECT,
  project_update: PROJECT,
  project_delete: { ...PROJECT, forbidden: 'project_protected' },
  project_token_rotate: PROJECT,
  project_token_revoke: PROJECT,
  project_mount_set: PROJECT,
  project_mount_remove: PROJECT,
  project_mount_list: PROJECT,
  project_activate: PROJECT,
  project_up: PROJECT,
  workspace_status: PROJECT,
  reconcile_status: PROJECT,
};

/**
 * The fault as a program reads it: theirs by their code, everybody else by ours; where there are two, the other one is `also`.
 * `forbidden` has another name where the resource refuses, and none where the sender may not ask at all. Who throws may have
 * named theirs as `also`.
 */
export function controlFault(name: string, fault: ProtocolFault, isTheirs: boolean): ProtocolFault {
  const named = fault.details?.['also'];
  const isOfSender = fault.code === 'forbidden' && !FsError.is(fault.cause);
  const theirs =
    typeof named === 'string'
      ? named
      : isOfSender
        ? undefined
        : (CODES[name]?.[fault.code] ?? (name.startsWith('mount_') ? fileCodeOf(fault.cause) : undefined));
  if (theirs === undefined) return fault;
  const [code, also] = isTheirs ? [theirs, fault.code] : [fault.code, theirs];
  return new ProtocolFault(code, fault.message, {
    request: fault.request,
    details: { ...fault.details, also },
    cause: fault.cause,
  });
}
