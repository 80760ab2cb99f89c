import type { ControlClient } from '../lib/control/index.js';

/** Makes a new node, and answers with what it proves itself by. */
export async function joinNode(
  admin: ControlClient,
  name: string,
): Promise<{ readonly node_id: string; readonly node_secret: string }> {
  const { invite_token } = await admin.request('node_invite_create', {});
  const { node_id, node_secret } = await admin.request('node_join', { invite_token, node_name: name });
  if (node_id === undefined || node_secret === undefined)
    throw new Error(`The control plane gave ${name} no secret.`);
  return { node_id, node_secret };
}
