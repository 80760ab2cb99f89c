import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { rowsOfDiff } from '../../model/diff-rows.js';
import type { ManifestFault, Plan, PlannedFile } from '../../model/history.js';
import { objectFaults, type RequestFault } from '../../model/request-faults.js';
import { hrefOf } from '../../model/route.js';
import type { Session } from '../../model/session.js';
import { useStore } from '../../model/store.js';
import { DiffTable } from '../../parts/diff-table.js';
import { FaultBox } from '../../parts/fault-box.js';
import { JsonEditor } from '../../parts/json-editor.js';
import { ManifestFaults } from '../../parts/manifest-faults.js';
import { Outcome } from '../../parts/outcome.js';
import { Fault } from '../../wire/fault.js';

interface Props {
  readonly session: Session;
  readonly given: string | undefined;
  readonly file: string | undefined;
}

interface Draft {
  readonly file: string;
  readonly text: string;
}

const EMPTY = '{\n  "service_id": "",\n  "kind": ""\n}\n';
/** It outlives the page: who looks at a diff comes back to what was typed. */
let lastDraft: Draft = { file: '', text: EMPTY };

/** What a manifest would do to a node, before anything is saved anywhere. */
export function PlanPage({ session, given, file }: Props): JSX.Element {
  const { files, catalog } = session;
  const view = useStore(catalog.view);
  const schema = useManifestSchema();
  const nodes = view.nodes.filter(({ facts }) => facts.state === 'online').map(({ facts }) => facts.node_id);
  const nodeId = given ?? nodes[0];
  const [draft, setDraft] = useState(lastDraft);
  const [plan, setPlan] = useState<{ readonly of: string; readonly plan: Plan } | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const [isBusy, setBusy] = useState(false);
  const change = (changed: Partial<Draft>): void => setDraft((lastDraft = { ...lastDraft, ...changed }));
  useEffect(() => {
    if (file !== undefined && file !== lastDraft.file) change({ file });
  }, [file]);
  const { faults: local } = useMemo(() => objectFaults(draft.text, schema), [draft.text, schema]);
  // What the node said of this very text is more than what the schema says here.
  const said = plan !== null && plan.of === draft.text ? faultsAt(plan.plan) : null;
  const ask = async (text: string | null): Promise<void> => {
    if (nodeId === undefined) return;
    setBusy(true);
    try {
      const name = draft.file === '' ? nameFrom(draft.text) : draft.file;
      const request = JSON.stringify({ files: { [name]: text } });
      const reply = await files.exchange(`control/nodes/${nodeId}/plan.json`, request);
      setPlan({ of: draft.text, plan: JSON.parse(reply) as Plan });
      setFault(null);
    } catch (thrown) {
      setPlan(null);
      setFault(Fault.from(thrown));
    }
    setBusy(false);
  };
  return (
    <>
      <p>
        Edit or paste a manifest, and see what a reload with it would do. Nothing is saved: put the file on
        the node to have it.
      </p>
      <div class="bar">
        <label>
          <span class="label">Node</span>
          <select
            value={nodeId ?? ''}
            onChange={({ currentTarget }) => {
              location.hash = hrefOf('changes', 'plan', currentTarget.value);
            }}
          >
            {nodeId !== undefined && !nodes.includes(nodeId) && (
              <option value={nodeId}>{nodeId}, offline</option>
            )}
            {nodes.map((id) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>
        </label>
        <label class="grow">
          <span class="label">File, a path of the node or a name in its first services directory</span>
          <input
            type="text"
            class="mono"
            value={draft.file}
            placeholder={nameFrom(draft.text)}
            autocomplete="off"
            spellcheck={false}
            onInput={({ currentTarget }) => change({ file: currentTarget.value })}
          />
        </label>
      </div>
      <JsonEditor
        id="manifest"
        label="Manifest, as JSON"
        text={draft.text}
        schema={schema}
        faults={said ?? local}
        lines={16}
        onText={(text) => change({ text })}
      />
      <div class="bar">
        <button
          type="button"
          class="primary"
          disabled={isBusy || nodeId === undefined}
          onClick={() => void ask(draft.text)}
        >
          What would it do?
        </button>
        <button
          type="button"
          disabled={isBusy || nodeId === undefined || draft.file === ''}
          onClick={() => void ask(null)}
        >
          And if the file were removed?
        </button>
      </div>
      {fault !== null && <FaultBox fault={fault} />}
      {plan !== null && <PlanView plan={plan.plan} isOld={plan.of !== draft.text} />}
    </>
  );
}

function PlanView({ plan, isOld }: { readonly plan: Plan; readonly isOld: boolean }): JSX.Element {
  return (
    <section aria-labelledby="plan" class="plan">
      <h2 id="plan">
        {plan.changes === 0 && plan.faults === 0
          ? 'Nothing would change.'
          : [count(plan.changes, 'change'), count(plan.faults, 'fault')].filter(Boolean).join(', ')}
      </h2>
      {isOld && <p class="warned">▲ The manifest was edited since: ask again.</p>}
      {plan.files
        .filter(({ outcome, warnings }) => outcome !== 'unchanged' || warnings.length > 0)
        .map((file) => (
          <PlannedFileView key={file.file ?? ''} nodeId={plan.node_id} file={file} />
        ))}
      {plan.kept.length > 0 && <p class="faint">As they are: {plan.kept.join(', ')}</p>}
    </section>
  );
}

function PlannedFileView({
  nodeId,
  file,
}: {
  readonly nodeId: string;
  readonly file: PlannedFile;
}): JSX.Element {
  const rows = useMemo(() => rowsOfDiff(file.diff), [file.diff]);
  const name = file.file ?? file.service_id ?? '';
  return (
    <article class="reloaded" aria-label={name}>
      <div class="bar">
        <h3 class="mono">{name}</h3>
        <Outcome outcome={file.outcome} />
        {file.service_id !== null && (
          <a href={hrefOf('services', nodeId, file.service_id)}>{file.service_id}</a>
        )}
        <span class="fields">
          {file.fields.map((field) => (
            <code key={field}>{field === '' ? 'much of it' : field}</code>
          ))}
        </span>
      </div>
      {file.faults.length > 0 && <ManifestFaults kind="error" file={name} faults={file.faults} />}
      {file.warnings.length > 0 && <ManifestFaults kind="warning" file={name} faults={file.warnings} />}
      {rows.length > 0 && (
        <DiffTable
          label={`What would change in ${name}`}
          before="As it runs"
          after="As planned"
          rows={rows}
        />
      )}
    </article>
  );
}

const count = (many: number, word: string): string =>
  many === 0 ? '' : `${many} ${word}${many === 1 ? '' : 's'}`;

function faultsAt({ files }: Plan): readonly RequestFault[] {
  return files.flatMap(({ faults }) =>
    faults.map(({ pointer, message }: ManifestFault) => ({ at: pointer ?? '', message })),
  );
}

/** A file for the service that the manifest names. */
function nameFrom(text: string): string {
  const id = /"service_id"\s*:\s*"([A-Za-z0-9._-]+)"/.exec(text)?.[1] ?? 'new';
  return `${id}.json`;
}

/** The format of manifests, loaded when it is wanted. */
function useManifestSchema(): unknown {
  const [schema, setSchema] = useState<unknown>(null);
  useEffect(() => {
    import('../../../../manifests/acheron-manifest.schema.json').then(
      (loaded) => setSchema(loaded.default),
      () => undefined, // Without it the node still says what is wrong.
    );
  }, []);
  return schema;
}
