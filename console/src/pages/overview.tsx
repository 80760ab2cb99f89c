import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CatalogView, NodeEntry, ServiceLine } from '../model/catalog.js';
import { labelsOf, prepareSearch, rowsOf, type Filter, type Found, type Row } from '../model/filter.js';
import { hrefOf } from '../model/route.js';
import type { Session } from '../model/session.js';
import { useStore } from '../model/store.js';
import { FaultBox } from '../parts/fault-box.js';
import { StateBadge } from '../parts/state-badge.js';
import { VirtualList } from '../parts/virtual-list.js';

const ROW_PX = 48;
/** Once the list is shown and nothing was changed for so long. */
const PREPARE_MS = 300;
/** It outlives the page, so that who comes back finds what he looked at. */
let lastFilter: Filter = { words: '', state: '' };

/** All nodes and services that the session may see. */
export function Overview({ session }: { readonly session: Session }): JSX.Element {
  const view = useStore(session.catalog.view);
  const [filter, setFilter] = useState(lastFilter);
  const words = useRef<HTMLInputElement>(null);
  const change = (changed: Partial<Filter>): void => setFilter((lastFilter = { ...lastFilter, ...changed }));
  const before = useRef<Found | undefined>(undefined);
  const { rows, services } = useMemo(
    () => (before.current = rowsOf(view, filter, before.current)),
    [view, filter],
  );
  useEffect(() => {
    if (!view.isWhole) return undefined;
    const timer = setTimeout(() => prepareSearch(view), PREPARE_MS);
    return () => clearTimeout(timer);
  }, [view]);
  return (
    <section class="page page-fill" aria-labelledby="overview">
      <div class="bar">
        <h1 id="overview">Services</h1>
        <Totals view={view} />
      </div>
      <div class="bar filters" role="search">
        <label class="grow">
          <span class="label">Filter</span>
          <input
            ref={words}
            type="search"
            value={filter.words}
            placeholder="words, node:…, kind:…, label:key=value"
            autocomplete="off"
            spellcheck={false}
            onInput={({ currentTarget }) => change({ words: currentTarget.value })}
            onKeyDown={(event) => {
              if (event.key !== 'ArrowDown') return;
              event.preventDefault();
              document.querySelector<HTMLElement>('.row-service')?.focus();
            }}
          />
        </label>
        <label>
          <span class="label">State</span>
          <select
            value={filter.state}
            onChange={({ currentTarget }) => change({ state: currentTarget.value })}
          >
            <option value="">any</option>
            <option value="online">online</option>
            <option value="degraded">degraded</option>
            <option value="offline">offline</option>
          </select>
        </label>
        <p class="count" role="status">
          {services.toLocaleString('en')} {services === 1 ? 'service' : 'services'}
          {view.isWhole ? '' : ', loading…'}
        </p>
      </div>
      {view.fault !== null && <FaultBox fault={view.fault} />}
      {rows.length === 0 && view.isWhole ? (
        <p class="empty">
          {view.nodes.length === 0
            ? 'There is nothing that this session may see.'
            : 'Nothing matches the filter.'}
        </p>
      ) : (
        <VirtualList
          label="Services by node"
          items={rows}
          rowHeight={ROW_PX}
          keyOf={(row) =>
            row.kind === 'node' ? row.node.facts.node_id : `${row.service.node_id}/${row.service.service_id}`
          }
          render={(row) => <RowOf row={row} session={session} />}
        />
      )}
    </section>
  );
}

function Totals({ view }: { readonly view: CatalogView }): JSX.Element {
  const { online, all, off } = useMemo(() => totalsOf(view), [view]);
  return (
    <dl class="totals">
      <div>
        <dt>Nodes online</dt>
        <dd>
          {online} of {view.nodes.length}
        </dd>
      </div>
      <div>
        <dt>Services online</dt>
        <dd>
          {(all - off).toLocaleString('en')} of {all.toLocaleString('en')}
        </dd>
      </div>
    </dl>
  );
}

function totalsOf({ nodes }: CatalogView): { online: number; all: number; off: number } {
  let [online, all, off] = [0, 0, 0];
  for (const { facts, services } of nodes) {
    if (facts.state === 'online') online++;
    all += services.length;
    for (const { state } of services) if (state !== 'online') off++;
  }
  return { online, all, off };
}

function RowOf({ row, session }: { readonly row: Row; readonly session: Session }): JSX.Element {
  return row.kind === 'node' ? (
    <NodeRow node={row.node} shown={row.shown} />
  ) : (
    <ServiceRow service={row.service} session={session} />
  );
}

function NodeRow({ node, shown }: { readonly node: NodeEntry; readonly shown: number }): JSX.Element {
  const { facts, services } = node;
  return (
    <div class="row row-node">
      <StateBadge state={facts.state} />
      <h2 class="name">{facts.node_id}</h2>
      <span class="summary">{labelsOf(facts.labels).join(' ')}</span>
      <span class="number">
        {shown === services.length ? shown : `${shown} of ${services.length}`}
        <span class="unit"> {services.length === 1 ? 'service' : 'services'}</span>
      </span>
    </div>
  );
}

function ServiceRow({
  service,
  session,
}: {
  readonly service: ServiceLine;
  readonly session: Session;
}): JSX.Element {
  const { node_id, service_id, state, kind, summary } = service;
  const calls = useStore(session.calls.counts).get(`${node_id}/${service_id}`);
  return (
    <a class="row row-service" href={hrefOf('services', node_id, service_id)}>
      <StateBadge state={state} />
      <span class="name">{service_id}</span>
      <span class="summary">{summary}</span>
      <span class="kind">{kind}</span>
      <span class="number">
        {calls !== undefined && (
          <>
            {calls.perMinute}
            <span class="unit"> calls/min</span>
            {calls.failed > 0 && <span class="failed">, {calls.failed} failed</span>}
          </>
        )}
      </span>
    </a>
  );
}
