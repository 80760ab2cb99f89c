import type { ControlReply } from 'acheron/protocol';
import type { JSX } from 'preact';
import { useCallback, useEffect } from 'preact/hooks';
import type { Session } from '../model/session.js';
import { useStore } from '../model/store.js';
import { FaultBox } from '../parts/fault-box.js';
import { Table } from '../parts/table.js';
import { Time } from '../parts/time.js';
import { useList } from '../parts/use-list.js';
import type { ControlLink } from '../wire/control.js';

/** How far a replica is behind, and its lease, are measured and no events: while the page is open they are asked for. */
const LOOK_MS = 2000;

/** The control planes over one store, for admins. */
export function ReplicasPage({ session }: { readonly session: Session }): JSX.Element {
  const { control } = session;
  const welcome = useStore(control.welcome);
  return (
    <section class="page" aria-labelledby="replicas">
      <h1 id="replicas">Replicas</h1>
      {welcome?.role === 'admin' ? (
        <Replicas control={control} />
      ) : (
        <p class="faint">This page is for admins.</p>
      )}
    </section>
  );
}

function Replicas({ control }: { readonly control: ControlLink }): JSX.Element {
  const ask = useCallback(async () => [await control.request('replica_list', {})], [control]);
  const { items, fault, act } = useList(control, ask);
  useEffect(() => {
    const timer = setInterval(() => {
      if (control.state.value === 'open' && !document.hidden) void act(() => Promise.resolve());
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [control]);
  const [known] = items ?? [];
  return (
    <>
      {fault !== null && <FaultBox fault={fault} />}
      {known !== undefined && <Known known={known} />}
    </>
  );
}

function Known({ known }: { readonly known: ControlReply<'replica_list'> }): JSX.Element {
  const { engine, replica: self, host, replicas } = known;
  if (self === null)
    return <p>This control plane is the only one: it has a database of its own ({engine}).</p>;
  return (
    <>
      <p>
        Store: {engine} at {host ?? 'no host: it cannot be reached'}.
      </p>
      <Table
        label="Replicas"
        titles={['Replica', 'Address', 'Version', 'Entries behind', 'Lease', 'Nodes', 'Since (UTC)']}
        empty="None serves."
        rows={replicas.map(({ replica, address, version, lag, lease_left_ms, nodes, started_at_ms }) => ({
          key: replica,
          cells: [
            <>
              <code>{replica}</code>
              {replica === self ? ' (this one)' : ''}
            </>,
            address,
            version,
            lag.toLocaleString('en'),
            `${(lease_left_ms / 1000).toFixed(1)} s`,
            nodes.toLocaleString('en'),
            <Time ms={started_at_ms} />,
          ],
        }))}
      />
    </>
  );
}
