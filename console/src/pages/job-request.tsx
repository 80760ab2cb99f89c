import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { FaultBox } from '../parts/fault-box.js';
import { Fault } from '../wire/fault.js';
import type { FilesLink } from '../wire/files.js';

interface Props {
  readonly files: FilesLink;
  readonly path: string;
  /** The key that it was sent with, where this page sent it. */
  readonly jobKey: string | undefined;
  readonly onRequest: (text: string) => void;
}

/** What the job was asked, to be sent once more: with its key, where it had one, it does not run again. */
export function JobRequest({ files, path, jobKey, onRequest }: Props): JSX.Element {
  const [fault, setFault] = useState<Fault | null>(null);
  const take = async (): Promise<void> => {
    try {
      const request = JSON.parse(await files.readText(`${path}/request.json`)) as object;
      const keyed = jobKey === undefined ? request : { _key: jobKey, ...request };
      onRequest(`${JSON.stringify(keyed, null, 2)}\n`);
      setFault(null);
    } catch (thrown) {
      setFault(Fault.from(thrown));
    }
  };
  return (
    <>
      <div class="bar">
        <button type="button" onClick={() => void take()}>
          Take its request into the form
        </button>
        {jobKey !== undefined && (
          <span class="faint">
            Sent again with the key <code>{jobKey}</code>, it answers as it did, and does not run again.
          </span>
        )}
      </div>
      {fault !== null && <FaultBox fault={fault} />}
    </>
  );
}
