import type { JSX } from 'preact';
import { hrefOf } from '../../model/route.js';
import type { Session } from '../../model/session.js';
import { useStore } from '../../model/store.js';
import { DiffPage } from './diff.js';
import { PlanPage } from './plan.js';
import { ReloadPage } from './reload.js';
import { TimelinePage } from './timeline-page.js';
import './changes.css';

interface Props {
  readonly session: Session;
  readonly parts: readonly string[];
}

/** What changed, and why. Each view has an address of its own, to be sent to somebody. */
export function ChangesPage({ session, parts }: Props): JSX.Element {
  const [view, nodeId, name, from, to] = parts;
  const isAdmin = useStore(session.control.welcome)?.role === 'admin';
  return (
    <section class="page" aria-labelledby="changes">
      <div class="bar">
        <h1 id="changes">
          {view === undefined ? 'Changes' : <a href={hrefOf('changes')}>Changes</a>}
          {view === 'of' && ` / ${[nodeId, name].filter(Boolean).join(' / ')}`}
          {view === 'reload' && ` / ${nodeId ?? ''} / reload ${name ?? ''}`}
          {view === 'diff' && ` / ${nodeId ?? ''} / ${name ?? ''}`}
          {view === 'plan' && ' / plan'}
        </h1>
        {isAdmin && view !== 'plan' && <a href={hrefOf('changes', 'plan')}>Try a manifest</a>}
      </div>
      {view === 'reload' && nodeId !== undefined ? (
        <ReloadPage key={parts.join('/')} session={session} nodeId={nodeId} n={Number(name)} />
      ) : view === 'diff' && nodeId !== undefined && name !== undefined ? (
        <DiffPage key={`${nodeId}/${name}`} {...{ session, nodeId, from, to }} serviceId={name} />
      ) : view === 'plan' ? (
        <PlanPage session={session} given={nodeId} file={name} />
      ) : (
        <TimelinePage
          key={parts.join('/')}
          session={session}
          isAdmin={isAdmin}
          nodeId={view === 'of' ? nodeId : undefined}
          serviceId={view === 'of' ? name : undefined}
        />
      )}
    </section>
  );
}
