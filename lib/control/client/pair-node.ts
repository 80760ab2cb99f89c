import { FsError, type JsonObject, type JsonValue } from '../../core/index.js';
import type { ControlReply } from '../../protocol/index.js';
import type { ControlClient } from './control-client.js';
import { faultOf } from './control-exchange.js';
import type { NodeState, NodeStateFile } from './node-state-file.js';

export type PairMode = { readonly mode: 'invite'; readonly token: string } | { readonly mode: 'request' };

export interface PairOptions {
  readonly nodeName: string;
  readonly platform: JsonValue;
  readonly labels: JsonObject;
  readonly leaseTtlMs: number | undefined;
  readonly pair: PairMode;
  /** The code that an admin must see too, while the request waits. */
  readonly onVerificationCode: ((code: string, requestId: string) => void) | undefined;
  readonly pollMs: number;
  readonly signal: AbortSignal;
}

type Credentials = NonNullable<NodeState['credentials']>;

/**
 * Becomes a node: by an invite, or by asking and waiting for an admin. The credentials are on disk when
 * it answers. A lost connection is no reason to stop.
 * @throws FsError EACCES when the invite is not good, or the request was denied; ECANCELED by `signal`.
 */
export async function pairNode(
  client: ControlClient,
  file: NodeStateFile,
  options: PairOptions,
): Promise<Credentials> {
  for (;;) {
    if (options.signal.aborted) throw FsError.from(options.signal.reason);
    try {
      const joined =
        options.pair.mode === 'invite'
          ? await joinByInvite(client, options, options.pair.token)
          : await joinByRequest(client, file, options);
      if (joined !== undefined) {
        const credentials = credentialsFrom(joined);
        file.write({ credentials });
        return credentials;
      }
    } catch (thrown) {
      const fault = faultOf(thrown);
      if (fault !== undefined && !MAY_PASS.has(fault.code)) throw thrown;
      if (fault === undefined && !isLost(thrown)) throw thrown;
    }
    await pause(options.pollMs, options.signal);
  }
}

const MAY_PASS = new Set(['rate_limited', 'unavailable', 'timeout', 'internal', 'session_busy']);

function isLost(thrown: unknown): boolean {
  return FsError.is(thrown) && (thrown.code === 'EHOSTDOWN' || thrown.code === 'ETIMEDOUT');
}

function joinByInvite(
  client: ControlClient,
  options: PairOptions,
  token: string,
): Promise<ControlReply<'node_join'>> {
  return client.request('node_join', {
    invite_token: token,
    ...factsOf(options),
    ...(options.leaseTtlMs === undefined ? {} : { lease_ttl_ms: options.leaseTtlMs }),
  });
}

async function joinByRequest(
  client: ControlClient,
  file: NodeStateFile,
  options: PairOptions,
): Promise<ControlReply<'node_join'> | undefined> {
  let { request } = file.state;
  if (request === undefined) {
    const { request_id, request_secret, verification_code } = await client.request(
      'node_join_request',
      factsOf(options),
    );
    request = { request_id, request_secret, verification_code };
    file.write({ request });
    options.onVerificationCode?.(verification_code, request_id);
  }
  try {
    const joined = await client.request('node_join', {
      request_id: request.request_id,
      request_secret: request.request_secret,
      ...(options.leaseTtlMs === undefined ? {} : { lease_ttl_ms: options.leaseTtlMs }),
    });
    return joined.state === 'joined' ? joined : undefined;
  } catch (thrown) {
    // The next start asks anew.
    if (faultOf(thrown)?.code === 'forbidden') file.write({});
    throw thrown;
  }
}

function factsOf({ nodeName, platform, labels }: PairOptions): {
  node_name: string;
  platform: JsonObject | string;
  labels: Record<string, string>;
} {
  return {
    node_name: nodeName,
    platform: typeof platform === 'string' ? platform : ((platform ?? {}) as JsonObject),
    labels: labels as Record<string, string>,
  };
}

function credentialsFrom({
  node_id,
  node_secret,
  lease_token,
  lease_expires_at_ms,
}: ControlReply<'node_join'>): Credentials {
  if (node_id === undefined || node_secret === undefined || lease_token === undefined)
    throw new FsError('EPROTO', 'The control plane let us join, but gave no credentials.');
  return { node_id, node_secret, lease_token, lease_expires_at_ms: lease_expires_at_ms ?? 0 };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
