import { randomBytes } from 'node:crypto';
import { Emitter, FsError, silentLog, type JsonObject, type JsonValue, type Log } from '../../core/index.js';
import type { ControlReply } from '../../protocol/index.js';
import { logConnection, ServerAddresses, type Transport } from '../../transport/index.js';
import { AuditSender, type AuditSource, type SentRecord } from './audit-sender.js';
import { ControlClient } from './control-client.js';
import { faultOf } from './control-exchange.js';
import { NodeStateFile } from './node-state-file.js';
import { NodeTunnelLink, type ServedTunnel } from './node-tunnel.js';
import { pairNode, type PairMode } from './pair-node.js';
import { ReportSender, type ReloadReportSource } from './report-sender.js';
import { sendCatalog, type Catalog } from './send-catalog.js';
import { Overtaken } from './overtaken.js';
import { reconnectDelays } from './reconnect-delays.js';
import { supersededError, type Successor } from './superseded-error.js';

export interface NodeLinkOptions {
  /** `ws://` or `wss://` of the control plane, without a path; of several that do the same, with commas between. */
  readonly url: string;
  readonly ca?: string | undefined;
  /** Only for control planes that ask for one on the upgrade; pairing needs none. */
  readonly token?: string | undefined;
  readonly stateFile: string;
  readonly nodeName: string;
  readonly platform: JsonValue;
  readonly labels: Readonly<Record<string, string>>;
  readonly pair: PairMode;
  readonly onVerificationCode?: (code: string, requestId: string) => void;
  readonly leaseTtlMs?: number;
  /** Default: a third of the lease. */
  readonly refreshIntervalMs?: number;
  /** The version that the node runs. */
  readonly software?: string;
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
  /** How often a request for pairing looks whether it was approved. */
  readonly pairPollMs?: number;
  /** What the node offers at this very moment; asked at each upsert, never kept. */
  readonly snapshot: () => Catalog;
  /** What the node recorded: the control plane is to have it all, once. */
  readonly audit?: AuditSource;
  /** What its reloads of manifests did. */
  readonly reloads?: ReloadReportSource;
  /** Says hello on a connection to `/v2/fs` and serves the node's files there; answers once the hello was accepted. */
  readonly serveTunnel?: (transport: Transport, node: TunnelIdentity) => Promise<ServedTunnel>;
  readonly log?: Log;
}

export interface TunnelIdentity {
  readonly id: string;
  readonly secret: string;
  readonly epoch: number;
}

export type ServiceDelta = ControlReply<'node_service_upsert'>['service_delta'];

const DEFAULT_LEASE_MS = 60_000;
const UPSERT_RETRY_MS = 1_000;
/** What a control plane answers to a report that it will never take. */
const REFUSALS: ReadonlySet<string> = new Set(['unsupported_type', 'invalid_payload', 'frame_too_large']);

/**
 * A node's link to its control plane: pairs once, then keeps a connection, the lease, the catalog and the
 * tunnel, forever. It ends only when it is closed, when the node was deleted, or when another process of
 * the same node took over.
 */
export class NodeLink {
  /** After each upsert that the control plane took. */
  readonly registered = new Emitter<ServiceDelta>();
  /** Answers when the link is over: null when it was closed, else why. */
  readonly ended: Promise<FsError | null>;
  readonly #options: NodeLinkOptions;
  readonly #log: Log;
  readonly #addresses: ServerAddresses;
  readonly #file: NodeStateFile;
  readonly #instanceId = `i-${randomBytes(8).toString('hex')}`;
  readonly #abort = new AbortController();
  #token: string | undefined;
  #end!: (error: FsError | null) => void;
  #isOver = false;
  /** Whether it is connected, from now on. */
  readonly connected = new Emitter<boolean>();
  #client: ControlClient | undefined;
  readonly #overtaken = new Overtaken({
    epoch: () => this.#epoch,
    connectAgain: () => this.#client?.connectAgain(),
  });
  #tunnel: NodeTunnelLink | undefined;
  #audit: AuditSender | undefined;
  #reports: ReportSender | undefined;
  #identity: TunnelIdentity | undefined;
  #epoch = 0;
  #upserting = false;
  #dirty = false;
  #refreshTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;

  /** Takes the state file. @throws FsError EBUSY, EINVAL */
  constructor(options: NodeLinkOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#token = options.token;
    this.#addresses = ServerAddresses.from(options.url);
    this.#file = new NodeStateFile(options.stateFile);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get nodeId(): string | undefined {
    return this.#file.state.credentials?.node_id;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get isConnected(): boolean {
    return this.#client?.state.state === 'open';
  }

  /**
   * Pairs if need be, and answers the node's id; `start` then connects.
   * @throws FsError EACCES when the invite is not good or the request was denied
   */
  async pair(): Promise<string> {
    return (await this.#credentials()).node_id;
  }

  /**
   * Pairs if need be, then connects and stays so. Answers the node's id once it is known.
   * @throws FsError EACCES when the invite is not good or the request was denied
   */
  async start(): Promise<string> {
    const { node_id: id, node_secret: secret } = await this.#credentials();
    this.#identity = { id, secret, epoch: 0 };
    if (!this.#isOver) this.#connect(id, secret);
    return id;
  }

  /** The registry has changed: the catalog gets the change, as soon as may be. */
  changed(): void {
    this.#dirty = true;
    // What led to the change is sent before it.
    this.#audit?.wake();
    this.#upsert();
  }

  /** Another token counts from the next connection on; the present ones go on. */
  set token(token: string | undefined) {
    this.#token = token;
  }

  close(): void {
    this.#finish(null);
  }

  async #credentials(): Promise<{ node_id: string; node_secret: string }> {
    return this.#file.state.credentials ?? (await this.#pair());
  }

  async #pair(): Promise<{ node_id: string; node_secret: string }> {
    const { url, ca, nodeName, platform, labels, pair, leaseTtlMs } = this.#options;
    const addresses = this.#addresses;
    const client = new ControlClient({
      url,
      addresses,
      ca,
      token: this.#token,
      ...reconnectDelays(this.#options),
    });
    const stop = (): void => client.close();
    this.#abort.signal.addEventListener('abort', stop);
    try {
      return await pairNode(client.start(), this.#file, {
        nodeName,
        platform,
        labels: { ...labels },
        pair,
        leaseTtlMs,
        onVerificationCode: this.#options.onVerificationCode,
        pollMs: this.#options.pairPollMs ?? 1_000,
        signal: this.#abort.signal,
      });
    } finally {
      this.#abort.signal.removeEventListener('abort', stop);
      client.close();
    }
  }

  #connect(nodeId: string, secret: string): void {
    const { url, ca, software } = this.#options;
    const client = new ControlClient({
      url,
      addresses: this.#addresses,
      ca,
      token: () => this.#token,
      ...reconnectDelays(this.#options),
      connect: () => ({
        node_id: nodeId,
        node_secret: secret,
        instance_id: this.#instanceId,
        ...(software === undefined ? {} : { software }),
        ...(this.#epoch === 0 ? {} : { epoch: this.#epoch }),
      }),
      isFinal: (error) => this.#finalError(error) !== undefined,
    });
    this.#client = client;
    const { audit } = this.#options;
    if (audit !== undefined)
      this.#audit = new AuditSender(
        audit,
        (records) => this.#send(client, nodeId, secret, records),
        this.#log,
      );
    this.#reports = this.#reportSender(client, nodeId, secret);
    client.connected.on(({ node }) => {
      this.#epoch = node?.epoch ?? this.#epoch;
      this.#identity = { id: nodeId, secret, epoch: this.#epoch };
      this.#dirty = true;
      this.#upsert();
      this.#openTunnel(client, nodeId, secret);
      this.#audit?.wake();
      this.#reports?.wake();
    });
    client.superseded.on(({ successor, epoch }) => {
      if (successor.instance_id === this.#instanceId) this.#overtaken.by(epoch);
      else this.#finish(supersededError(nodeId, successor));
    });
    client.states.on(({ state }) => this.connected.emit(state === 'open'));
    logConnection(client.states, { name: 'the control plane', log: this.#log });
    client.states.on((state) => {
      if (state.state === 'closed' && state.error !== null)
        this.#finish(this.#finalError(state.error) ?? state.error);
    });
    this.#scheduleRefresh();
    client.start();
  }

  /** Why an error is the end of it, or undefined where there is hope. */
  #finalError(error: unknown): FsError | undefined {
    const fault = faultOf(error);
    const nodeId = this.nodeId ?? '';
    if (fault?.code === 'stale_epoch') {
      const successor = fault.details?.['successor'] as Successor | undefined;
      if (successor?.instance_id !== this.#instanceId) return supersededError(nodeId, successor);
      // It was asked over a connection that this node has left; or what overtook it is an attempt whose answer was lost.
      if (Number(fault.details?.['current_epoch']) > this.#epoch) this.#client?.connectAgain();
      return undefined;
    }
    if (
      fault?.code === 'provider_auth_failed' ||
      (fault?.code === 'not_found' && this.#identity !== undefined)
    ) {
      return new FsError(
        'EACCES',
        `The control plane does not know node "${nodeId}" by its secret: it was deleted.`,
        {
          hint: `Remove ${this.#options.stateFile} and pair again.`,
          cause: error,
        },
      );
    }
    return undefined;
  }

  /** One at a time; what changes meanwhile is sent after it, as it is then. */
  #upsert(): void {
    const client = this.#client;
    const identity = this.#identity;
    if (this.#isOver || this.#upserting || !this.#dirty || client === undefined || identity === undefined)
      return;
    if (!this.isConnected) return;
    this.#upserting = true;
    this.#dirty = false;
    clearTimeout(this.#retryTimer);
    const { platform, labels } = this.#options;
    let retry = false;
    const node = {
      node_id: identity.id,
      node_secret: identity.secret,
      epoch: this.#epoch,
      labels: { ...labels },
      ...(platform === null ? {} : { platform: platform as JsonObject | string }),
    };
    sendCatalog(client, node, this.#options.snapshot())
      .then(({ service_delta }) => this.registered.emit(service_delta))
      .catch((thrown: unknown) => {
        const final = this.#finalError(thrown);
        if (final !== undefined) {
          this.#finish(final);
          return;
        }
        if (FsError.is(thrown) && thrown.code === 'E2BIG') {
          this.#log.error(thrown.message, { hint: thrown.hint });
          return;
        }
        this.#dirty = true;
        this.#log.warn('the catalog was not updated; it is tried again', {
          error: FsError.from(thrown).message,
        });
        retry = true;
      })
      .finally(() => {
        this.#upserting = false;
        if (retry && !this.#isOver) this.#retryTimer = setTimeout(() => this.#upsert(), UPSERT_RETRY_MS);
        else this.#upsert();
      });
  }

  async #send(
    client: ControlClient,
    nodeId: string,
    secret: string,
    records: readonly SentRecord[],
  ): Promise<void> {
    await client.request('audit_append', {
      node_id: nodeId,
      node_secret: secret,
      epoch: this.#epoch,
      records: [...records],
    });
  }

  #reportSender(client: ControlClient, nodeId: string, secret: string): ReportSender | undefined {
    const { reloads } = this.#options;
    if (reloads === undefined) return undefined;
    const proof = { node_id: nodeId, node_secret: secret };
    return new ReportSender(
      reloads,
      (report) => client.request('node_reload_report', { ...proof, epoch: this.#epoch, report }),
      { isRefusal: (error) => REFUSALS.has(faultOf(error)?.code ?? ''), log: this.#log },
    );
  }

  #scheduleRefresh(): void {
    const ttlMs = this.#options.leaseTtlMs ?? DEFAULT_LEASE_MS;
    const intervalMs = this.#options.refreshIntervalMs ?? ttlMs / 3;
    this.#refreshTimer = setInterval(() => {
      const client = this.#client;
      const identity = this.#identity;
      if (!this.isConnected || client === undefined || identity === undefined) return;
      const lease = {
        node_id: identity.id,
        node_secret: identity.secret,
        lease_ttl_ms: ttlMs,
        epoch: this.#epoch,
      };
      client.request('node_lease_refresh', lease).catch((thrown: unknown) => {
        const final = this.#finalError(thrown);
        if (final !== undefined) this.#finish(final);
        else
          this.#log.debug('the lease was not refreshed; the next try follows', {
            error: FsError.from(thrown).message,
          });
      });
    }, intervalMs);
  }

  /** Keeps the tunnel; it is asked anew who we are each time, because the epoch rises. */
  #openTunnel(client: ControlClient, nodeId: string, secret: string): void {
    const { serveTunnel, ca } = this.#options;
    if (serveTunnel === undefined || this.#isOver) return;
    if (this.#tunnel !== undefined) {
      this.#tunnel.follow();
      return;
    }
    this.#tunnel = new NodeTunnelLink({
      client,
      ca,
      token: () => this.#token,
      serve: (transport) => serveTunnel(transport, { id: nodeId, secret, epoch: this.#epoch }),
      ...reconnectDelays(this.#options),
      log: this.#log,
    });
  }

  #finish(error: FsError | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#refreshTimer);
    clearTimeout(this.#retryTimer);
    this.#overtaken.close();
    this.#abort.abort(error ?? new FsError('ECANCELED', 'The link was closed.'));
    this.#audit?.close();
    this.#reports?.close();
    this.#tunnel?.close();
    this.#client?.close();
    this.#file.close();
    this.#end(error);
  }
}
