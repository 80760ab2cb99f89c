import { FsError, systemClock, type Log, type NodeId } from '../core/index.js';
import { changeByControl } from '../manifest/index.js';
import { EventRules, isAdmin, type NodeAuditLog, type NodeHistory, type NodeReloads } from '../node/index.js';
import { principalOf, type Session } from '../policy/index.js';
import type { Registry, RegistryChange, ReloadReport } from '../registry/index.js';
import type { ServiceEvent, ServiceHost } from '../services/index.js';
import type { EventFeed } from '../worldfs/index.js';

interface NodeParts {
  readonly nodeId: NodeId;
  readonly host: ServiceHost;
  readonly registry: Registry;
  readonly events: EventFeed;
  readonly audit: NodeAuditLog;
  readonly history: NodeHistory;
  readonly reloads: NodeReloads;
  readonly log: Log;
  /** The projects that name the node. */
  readonly nodeProjects: () => readonly string[];
}

/** What happens at a node, passed on to those who want to know: its events, its history, its audit log. */
export class NodeEvents {
  readonly #parts: NodeParts;
  readonly #rules: EventRules;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.#rules = new EventRules(parts.nodeId, parts.nodeProjects);
    parts.host.events.on((event) => this.#serviceEvent(event));
    parts.registry.reports.on((report) => this.#reported(report));
    parts.registry.reloads.on((record) => parts.reloads.add(record));
  }

  /** The services that there are at the start. */
  start(): void {
    const { registry, history } = this.#parts;
    for (const { serviceId, permissions } of registry.services.values())
      this.#rules.set(serviceId, permissions);
    history.take(registry.services.values());
  }

  servicesChanged({ added, updated, removed }: RegistryChange): void {
    const { nodeId, registry, events, history } = this.#parts;
    const rules = this.#rules;
    history.take(registry.services.values());
    for (const [type, definitions] of [
      ['service_added', added],
      ['service_updated', updated.map(({ after }) => after)],
      ['service_removed', removed],
    ] as const) {
      for (const { serviceId, permissions, version, digest } of definitions) {
        rules.set(serviceId, permissions);
        events.push({
          atMs: systemClock.now(),
          type,
          facts: { node_id: nodeId, service_id: serviceId, version, digest },
          visibleTo: rules.ruleFor(serviceId),
        });
      }
    }
  }

  #serviceEvent(event: ServiceEvent): void {
    const { type, serviceId, principal, facts } = event;
    const { nodeId, events, history } = this.#parts;
    if (type === 'service_health') this.#recordHealth(event);
    const change = type === 'service_control' ? changeByControl(facts['op']) : undefined;
    if (change !== undefined) history.note(serviceId, change);
    const rule = this.#rules.ruleFor(serviceId);
    const visibleTo = (session: Session): boolean =>
      rule(session) && (session.role === 'admin' || principal === principalOf(session));
    events.push({
      atMs: systemClock.now(),
      type,
      facts: { node_id: nodeId, service_id: serviceId, ...facts },
      visibleTo: principal === null ? rule : visibleTo,
    });
  }

  #reported(report: ReloadReport): void {
    const { nodeId, events } = this.#parts;
    events.push({
      atMs: systemClock.now(),
      type: typeOfReport(report),
      facts: {
        node_id: nodeId,
        file: report.file,
        service_id: report.serviceId ?? report.disabled,
        faults: report.faults.map((fault) => fault.message),
      },
      visibleTo: isAdmin,
    });
  }

  /** What a node did to a service by itself is on record too, and so reaches those who watch from afar. */
  #recordHealth({ serviceId, facts }: ServiceEvent): void {
    const { to, ...rest } = facts;
    try {
      this.#parts.audit.record({ by: null, act: 'health', serviceId, outcome: to as string, facts: rest });
    } catch (thrown) {
      const { message } = FsError.from(thrown);
      this.#parts.log.error('A change of health could not be recorded.', {
        service: serviceId,
        error: message,
      });
    }
  }
}

function typeOfReport({ faults, disabled }: ReloadReport): string {
  if (faults.length > 0) return 'manifest_faulty';
  return disabled === null ? 'manifest_mended' : 'manifest_disabled';
}
