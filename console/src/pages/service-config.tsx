import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { objectFaults } from '../model/request-faults.js';
import { FaultBox } from '../parts/fault-box.js';
import { JsonEditor } from '../parts/json-editor.js';
import { Fault } from '../wire/fault.js';
import type { FilesLink } from '../wire/files.js';

const count = (description: string): object => ({ type: 'integer', minimum: 0, description });

/** What is known of a config: the rest of it is the service's own. */
const SCHEMA = {
  type: 'object',
  properties: {
    supervision: {
      type: 'object',
      description: 'When a service that fails is given a rest.',
      properties: {
        max_consecutive_failures: count('So many failures in a row are too many; 0 for never.'),
        max_consecutive_timeouts: count('So many timeouts in a row are too many; 0 for never.'),
        cooldown_ms: count('How long it then rests; 0 until someone enables or restarts it.'),
        auto_disable_on_threshold: {
          type: 'boolean',
          description: 'False only reports it as degraded, and lets calls go on.',
        },
      },
    },
  },
};

interface Props {
  readonly files: FilesLink;
  readonly dir: string;
  /** As the file is now. */
  readonly config: string;
  readonly onSaved: () => void;
}

interface Draft {
  readonly text: string;
  /** The config that it began from. */
  readonly from: string;
}

/** The config of a service, to change as a whole. */
export function ServiceConfig({ files, dir, config, onSaved }: Props): JSX.Element {
  const [draft, setDraft] = useState<Draft | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const [isBusy, setBusy] = useState(false);
  const text = draft?.text ?? config;
  const { faults } = useMemo(() => objectFaults(text, SCHEMA), [text]);
  const save = async (): Promise<void> => {
    setBusy(true);
    try {
      await files.write(`${dir}/config.json`, text);
      setDraft(null);
      setFault(null);
      onSaved();
    } catch (thrown) {
      setFault(Fault.from(thrown));
    }
    setBusy(false);
  };
  return (
    <section aria-labelledby="config">
      <h2 id="config">Config</h2>
      <JsonEditor
        id="config-text"
        label="Config, as JSON"
        text={text}
        schema={SCHEMA}
        faults={faults}
        lines={6}
        onText={(typed) => setDraft(typed === config ? null : { text: typed, from: draft?.from ?? config })}
      />
      {draft !== null && draft.from !== config && (
        <p role="status" class="warned">
          ▲ The config was changed meanwhile. Saving puts yours in its place.
        </p>
      )}
      {fault !== null && <FaultBox fault={fault} />}
      <div class="bar">
        <button
          type="button"
          class="primary"
          disabled={draft === null || isBusy || faults.length > 0}
          onClick={() => void save()}
        >
          Save the config
        </button>
        <button type="button" disabled={draft === null} onClick={() => setDraft(null)}>
          Leave it as it is
        </button>
      </div>
    </section>
  );
}
