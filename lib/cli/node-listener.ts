import { InvalidArgumentError, type Command } from 'commander';
import { runPlane, type PlaneOptions, type RunningNode, type RunningPlane } from '../compose/index.js';
import { Emitter, type Log } from '../core/index.js';
import { forgetControlUrl, keepControlUrl } from './control-url.js';
import { addListenOptions, listenerOptions, tlsFrom, type ListenFlags } from './listen-options.js';
import { option } from './options.js';
import { VERSION } from './version.js';

/** Where a node listens for clients of its own. */
export interface ListenAt {
  readonly host: string;
  readonly port: number;
}

export interface NodeListenFlags extends ListenFlags {
  readonly listen?: ListenAt;
}

export function addNodeListenOptions(command: Command): Command {
  return addListenOptions(
    command.addOption(
      option(
        '--listen <[host:]port>',
        'serve the files of this node alone to clients with tokens of its own, as a control plane would (host: 127.0.0.1; port 0 picks one)',
      ).argParser(listenAtFrom),
    ),
  );
}

/** `PORT`, `HOST:PORT` or `[IPv6]:PORT`. */
export function listenAtFrom(text: string): ListenAt {
  const [, ipv6, name, digits] = /^(?:(?:\[([0-9a-f:.]+)\]|([^:[\]/\s]+)):)?(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535)
    throw new InvalidArgumentError('It must look like 18791, 0.0.0.0:18791 or [::1]:18791.');
  return { host: ipv6 ?? name ?? '127.0.0.1', port };
}

/** Where a node keeps the tokens and sessions of those that it listens to; `--state-dir` of the commands for them. */
export const listenerDir = (stateFile: string): string => `${stateFile}.listen`;

export interface NodeListener {
  readonly url: string;
  readonly plane: RunningPlane;
  /** New connections get the certificate that the files hold now. */
  reload(): void;
  close(): Promise<void>;
}

interface ListeningNode {
  readonly node: RunningNode;
  readonly stateFile: string;
  /** Whether a control plane elsewhere takes its audit records, and says which projects name it. */
  readonly isLinked: boolean;
  readonly log: Log;
}

/**
 * Listens for clients of this node: a control plane that has this one node and takes no others, so that sessions,
 * tokens and what strangers may do are the same everywhere.
 * @throws FsError EBUSY (the port), EACCES (beyond this machine without TLS), EINVAL (no usable certificate)
 */
export async function listenForClients(
  { listen, ...flags }: NodeListenFlags & { readonly listen: ListenAt },
  { node, stateFile, isLinked, log }: ListeningNode,
): Promise<NodeListener> {
  const stateDir = listenerDir(stateFile);
  const plane = await runPlane({
    stateDir,
    ...listen,
    ...listenerOptions(flags),
    local: isLinked ? memberElsewhere(node) : node,
    takesNodes: false,
    version: VERSION,
    tracer: node.tracer,
    log,
  });
  try {
    keepControlUrl(stateDir, plane.url);
  } catch (thrown) {
    await plane.close();
    throw thrown;
  }
  return {
    url: plane.url,
    plane,
    reload: () => {
      const tls = tlsFrom(flags);
      if (tls !== undefined) plane.control.replaceTls(tls);
    },
    close: async () => {
      forgetControlUrl(stateDir);
      await plane.close();
    },
  };
}

/** The node as a member, but for what it owes to the control plane that it is linked to. */
function memberElsewhere(node: RunningNode): NonNullable<PlaneOptions['local']> {
  return {
    facts: node.facts,
    dir: node.dir,
    changes: node.changes,
    audit: { appended: new Emitter<void>(), batch: () => null },
    reloads: { appended: new Emitter<void>(), next: () => null },
    catalog: () => node.catalog(),
    onCatalogChange: (changed) => node.onCatalogChange(changed),
    setNodeProjects: () => undefined,
    setHistory: () => undefined,
  };
}
