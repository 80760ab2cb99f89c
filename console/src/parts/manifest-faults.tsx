import type { JSX } from 'preact';
import type { ManifestFault } from '../model/history.js';

interface Props {
  readonly kind: 'error' | 'warning';
  readonly file: string;
  readonly faults: readonly ManifestFault[];
}

/** What is wrong with a manifest: where, with its line and a caret, what was expected, and what to do. */
export function ManifestFaults({ kind, file, faults }: Props): JSX.Element {
  return (
    <ul class="plain faults">
      {faults.map((fault, at) => (
        <li key={at} class={kind === 'error' ? 'manifest-fault' : 'manifest-fault manifest-warning'}>
          <p class={kind === 'error' ? 'failed' : 'warned'}>
            <strong>{kind === 'error' ? '✕ Fault' : '▲ Warning'}</strong> {fault.message}
          </p>
          <p class="faint mono">
            {[file, fault.line, fault.column].filter((part) => part != null).join(':')}
            {fault.pointer != null && fault.pointer !== '' && ` ${fault.pointer}`}
          </p>
          {fault.source !== null && <Excerpt fault={fault} source={fault.source} />}
          {(fault.expected != null || fault.got != null) && (
            <dl class="expected">
              {fault.expected != null && (
                <div>
                  <dt>Expected</dt>
                  <dd>{fault.expected}</dd>
                </div>
              )}
              {fault.got != null && (
                <div>
                  <dt>Got</dt>
                  <dd>{fault.got}</dd>
                </div>
              )}
            </dl>
          )}
          {fault.hint != null && fault.hint !== '' && <p>{fault.hint}</p>}
        </li>
      ))}
    </ul>
  );
}

function Excerpt({ fault, source }: { readonly fault: ManifestFault; readonly source: string }): JSX.Element {
  const number = String(fault.line ?? '');
  return (
    <pre class="excerpt" tabIndex={0} aria-label={`Line ${number}`}>
      {`${number} │ ${source}\n`}
      {fault.caret !== null && <span class="failed">{`${' '.repeat(number.length)} │ ${fault.caret}`}</span>}
    </pre>
  );
}
