import type { JSX } from 'preact';
import { Fault } from '../wire/fault.js';

/** What went wrong, and what to do. */
export function FaultBox({ fault }: { readonly fault: Fault }): JSX.Element {
  return (
    <div class="fault" role="alert">
      <p>
        <strong>{fault.code}</strong> {fault.message}
      </p>
      {fault.hint !== undefined && <p>{fault.hint}</p>}
    </div>
  );
}
