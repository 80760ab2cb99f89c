import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { hrefOf, route } from './model/route.js';
import { beginSession, session, signOut, type Session } from './model/session.js';
import { useStore } from './model/store.js';
import { AccessPage } from './pages/access/access.js';
import { ReplicasPage } from './pages/replicas.js';
import { ChangesPage } from './pages/changes/changes.js';
import { FilesPage } from './pages/files.js';
import { Overview } from './pages/overview.js';
import { ServicePage } from './pages/service.js';
import { SignedOut } from './pages/signed-out.js';
import { Fault } from './wire/fault.js';
import { signIn } from './wire/sign-in.js';

/** The whole page: signed out, or a session with its pages. */
export function App({ code }: { readonly code: string | null }): JSX.Element {
  const current = useStore(session);
  const [fault, setFault] = useState<Fault | null>(null);
  const [isBusy, setBusy] = useState(code !== null);
  const enter = async (given: string): Promise<void> => {
    setBusy(true);
    try {
      beginSession(await signIn(given));
      setFault(null);
    } catch (thrown) {
      setFault(Fault.from(thrown));
    }
    setBusy(false);
  };
  useEffect(() => {
    if (code !== null) void enter(code);
  }, []);
  if (current === null) {
    if (isBusy && fault === null) return <main class="page">Signing in…</main>;
    return <SignedOut fault={fault} isBusy={isBusy} onCode={(given) => void enter(given)} />;
  }
  return (
    <Shell
      key="shell"
      current={current}
      onEnd={() => {
        setFault(
          new Fault('EACCES', 'This session has ended.', 'It was signed out, or its token was revoked.'),
        );
        session.set(null);
      }}
    />
  );
}

function Shell({ current, onEnd }: { readonly current: Session; readonly onEnd: () => void }): JSX.Element {
  const state = useStore(current.control.state);
  const welcome = useStore(current.control.welcome);
  const parts = useStore(route);
  useEffect(() => {
    if (state === 'ended') onEnd();
  }, [state]);
  const who =
    welcome === null ? '' : [welcome.role, welcome.agent_id, welcome.project_id].filter(Boolean).join(' · ');
  const tabs = [
    ['services', 'Services'],
    ['changes', 'Changes'],
    ['files', 'Files'],
    ...(welcome?.role === 'admin'
      ? ([
          ['access', 'Access'],
          ['replicas', 'Replicas'],
        ] as const)
      : []),
  ] as const;
  return (
    <div class="shell">
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById('main')?.focus();
        }}
      >
        Skip to the content
      </a>
      <header class="top">
        <a class="brand" href={hrefOf()}>
          Acheron
        </a>
        <nav aria-label="Pages">
          {tabs.map(([name, label]) => (
            <a
              key={name}
              href={hrefOf(name)}
              aria-current={name === (parts[0] ?? 'services') ? 'page' : undefined}
            >
              {label}
            </a>
          ))}
        </nav>
        <Connection current={current} />
        <span class="who">{who}</span>
        <button type="button" class="quiet" onClick={() => void signOut(current)}>
          Sign out
        </button>
      </header>
      <main id="main" tabIndex={-1}>
        <Page current={current} parts={parts} />
      </main>
    </div>
  );
}

function Page({
  current,
  parts,
}: {
  readonly current: Session;
  readonly parts: readonly string[];
}): JSX.Element {
  const [page, ...rest] = parts;
  switch (page) {
    case 'files':
      return <FilesPage session={current} parts={rest} />;
    case 'changes':
      return <ChangesPage session={current} parts={rest} />;
    case 'access':
      return <AccessPage session={current} />;
    case 'replicas':
      return <ReplicasPage session={current} />;
    case 'services': {
      const [nodeId, serviceId] = rest;
      if (nodeId !== undefined && serviceId !== undefined)
        return <ServicePage key={parts.join('/')} session={current} nodeId={nodeId} serviceId={serviceId} />;
      return <Overview session={current} />;
    }
    default:
      return <Overview session={current} />;
  }
}

const SAID = {
  connecting: 'connecting…',
  open: 'connected',
  lost: 'connection lost, trying again…',
  ended: 'signed out',
};

function Connection({ current }: { readonly current: Session }): JSX.Element {
  const state = useStore(current.control.state);
  return (
    <span class={`connection connection-${state}`}>
      <span role="status">
        <span aria-hidden="true">{state === 'open' ? '●' : '○'}</span> {SAID[state]}
      </span>
      {state === 'lost' && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            current.control.retryNow();
            current.files.retryNow();
          }}
        >
          Try now
        </button>
      )}
    </span>
  );
}
