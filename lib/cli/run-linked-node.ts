import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { arch, platform } from 'node:os';
import {
  NodeLink,
  type AuditSource,
  type PairMode,
  type ReloadReportSource,
} from '../control/client/index.js';
import { openStateDir, replaceFile } from '../disk/index.js';
import { Emitter, FsError } from '../core/index.js';
import type { RunningNode } from '../compose/index.js';
import type { Role } from '../policy/index.js';
import { addressesIn } from '../transport/index.js';
import { sendHello, serveVfs } from '../tunnel/index.js';
import { stateFileOf } from './node-options.js';
import { runStandalone, type Standalone, type StandaloneFlags } from './standalone.js';
import { certificatesIn, secretIn, secretTextIn } from './plane-options.js';
import { serviceManager } from './told-manager.js';
import { stopAsked } from './stop-asked.js';
import { VERSION } from './version.js';
import { writeOut } from './write-out.js';

/** Options of a node that belongs to a control plane. */
export interface LinkFlags {
  readonly controlUrl?: string;
  readonly pairMode?: 'invite' | 'request';
  readonly inviteToken?: string;
  readonly inviteTokenFile?: string;
  readonly tokenFile?: string;
  readonly tlsCa?: string;
  readonly leaseTtlMs?: number;
  readonly refreshIntervalMs?: number;
  readonly reconnectBackoffMs?: number;
  readonly reconnectBackoffMaxMs?: number;
  readonly maxRemoteRole: Role;
}

/**
 * Runs a node that a control plane knows: pairs if need be, then serves its mount and its tunnel until it
 * is stopped. While there is no connection it goes on by itself.
 * @throws FsError EACCES (the invite, or the node was deleted), ESTALE (another process took over)
 */
export async function runLinkedNode(
  flags: StandaloneFlags & LinkFlags & { controlUrl: string },
  standalone: Standalone,
): Promise<void> {
  const running: { node: RunningNode | null } = { node: null };
  const runningNode = (): RunningNode => {
    if (running.node === null) throw new TypeError('The link has begun before its node runs.');
    return running.node;
  };
  const stop = stopAsked();
  const { log } = standalone;
  const stateFile = stateFileOf(flags);
  const own = basename(stateFile);
  openStateDir(dirname(stateFile), (name) => name.startsWith(own));
  const audit: AuditSource = {
    appended: new Emitter<void>(),
    batch: () => running.node?.audit.batch() ?? null,
  };
  const reloads: ReloadReportSource = {
    appended: new Emitter<void>(),
    next: () => running.node?.reloads.next() ?? null,
  };
  const moves = addressesIn(flags.controlUrl).length > 1;
  const link = new NodeLink({
    url: flags.controlUrl,
    ca: trustedBy(flags, stateFile),
    token: flags.tokenFile === undefined ? undefined : secretIn(flags.tokenFile),
    stateFile,
    nodeName: flags.nodeName ?? standalone.nodeId,
    platform: `${platform()}-${arch()}`,
    software: VERSION,
    labels: flags.label ?? {},
    pair: pairModeFrom(flags),
    onVerificationCode: (code, requestId) => {
      const line = `Waiting for an admin to approve request ${requestId}; the verification code is ${code}.`;
      void writeOut(`${line}\n`);
      serviceManager()?.status(line);
    },
    ...(flags.leaseTtlMs === undefined ? {} : { leaseTtlMs: flags.leaseTtlMs }),
    ...(flags.refreshIntervalMs === undefined ? {} : { refreshIntervalMs: flags.refreshIntervalMs }),
    ...(flags.reconnectBackoffMs === undefined ? {} : { minDelayMs: flags.reconnectBackoffMs }),
    ...(flags.reconnectBackoffMaxMs === undefined ? {} : { maxDelayMs: flags.reconnectBackoffMaxMs }),
    snapshot: () => runningNode().catalog(),
    audit,
    reloads,
    serveTunnel: async (transport, identity) => {
      const node = runningNode();
      const handshake = await sendHello(transport, { node: identity, moves });
      return serveVfs({ root: node.dir, changes: node.changes, close: async () => undefined }, handshake, {
        relayed: {
          maxRole: flags.maxRemoteRole,
          onNodeFacts: ({ nodeProjects }) => node.setNodeProjects(nodeProjects),
        },
        log,
      });
    },
    log,
  });
  try {
    const paired = await Promise.race([stop.then(() => null), link.pair()]);
    if (paired === null) return;
    await runStandalone(
      flags,
      { ...standalone, nodeId: paired },
      {
        stop: Promise.race([stop, link.ended.then(() => 'unlinked')]),
        reload: () => {
          if (flags.tokenFile !== undefined) link.token = secretIn(flags.tokenFile);
        },
        attach: async (node) => {
          running.node = node;
          node.onCatalogChange(() => link.changed());
          node.audit.appended.on(() => audit.appended.emit());
          node.reloads.appended.on(() => reloads.appended.emit());
          node.connected = false;
          link.connected.on((isConnected) => (node.connected = isConnected));
          await link.start();
        },
      },
    );
  } finally {
    link.close();
  }
  const failure = await link.ended;
  if (failure !== null) throw failure;
}

/**
 * The certificates to trust besides those of the system: those that are named, else the authority that came with the invite, which
 * is kept beside the state.
 */
function trustedBy({ tlsCa, inviteTokenFile }: LinkFlags, stateFile: string): string | undefined {
  if (tlsCa !== undefined) return certificatesIn(tlsCa);
  const kept = `${stateFile}.ca.crt`;
  const [, ...rest] = inviteTokenFile === undefined ? [] : secretTextIn(inviteTokenFile).split('\n');
  const brought = rest.join('\n').trim();
  if (brought.startsWith('-----BEGIN CERTIFICATE-----')) replaceFile(kept, `${brought}\n`);
  return existsSync(kept) ? certificatesIn(kept) : undefined;
}

/** @throws FsError EINVAL */
function pairModeFrom({ pairMode, inviteToken, inviteTokenFile }: LinkFlags): PairMode {
  const token = inviteTokenFile === undefined ? inviteToken : secretIn(inviteTokenFile);
  if (pairMode === 'request' || (pairMode === undefined && token === undefined)) return { mode: 'request' };
  if (token !== undefined) return { mode: 'invite', token };
  throw new FsError('EINVAL', 'Pairing by invite needs the invite.', {
    hint: 'Give --invite-token-file, or set ACHERON_INVITE_TOKEN. acheron invite makes one.',
  });
}
