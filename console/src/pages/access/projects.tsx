import type { JSX } from 'preact';
import { ACTIONS, MODES } from 'acheron/policy';
import { useCallback, useMemo, useState } from 'preact/hooks';
import { objectFaults } from '../../model/request-faults.js';
import { FaultBox } from '../../parts/fault-box.js';
import { JsonEditor } from '../../parts/json-editor.js';
import { Table } from '../../parts/table.js';
import { useList } from '../../parts/use-list.js';
import type { ControlLink } from '../../wire/control.js';

const MODE = {
  enum: MODES,
  description: 'open: all who see it; token: with the token of the project; admin; deny.',
};
const MODES_OF_ACTIONS = {
  type: 'object',
  properties: Object.fromEntries(ACTIONS.map((action) => [action, MODE])),
  additionalProperties: false,
};
/** What a policy says; the control plane has the last word. */
const POLICY = {
  type: 'object',
  properties: {
    actions: { ...MODES_OF_ACTIONS, description: 'What sessions of the project may do.' },
    agents: {
      description: "What single agents may do: an agent's entry comes first.",
      additionalProperties: { type: 'object', properties: MODES_OF_ACTIONS.properties },
    },
    ...MODES_OF_ACTIONS.properties,
  },
};

interface Draft {
  readonly projectId: string;
  readonly policy: string;
}

/** Projects, and what each lets its sessions do. */
export function Projects({ control }: { readonly control: ControlLink }): JSX.Element {
  const ask = useCallback(async () => (await control.request('project_list', {})).projects, [control]);
  const { items, fault, act } = useList(control, ask);
  const [name, setName] = useState('');
  const [draft, setDraft] = useState<Draft | null>(null);
  const policy = draft?.policy ?? '';
  const wrong = useMemo(() => (policy.trim() === '' ? [] : objectFaults(policy, POLICY).faults), [policy]);
  const save = async ({ projectId, policy }: Draft): Promise<void> => {
    const access_policy = policy.trim() === '' ? null : (JSON.parse(policy) as Record<string, never>);
    await control.request('project_update', { project_id: projectId, access_policy });
    setDraft(null);
  };
  return (
    <section aria-labelledby="projects">
      <h2 id="projects">Projects</h2>
      {fault !== null && <FaultBox fault={fault} />}
      <Table
        label="Projects"
        titles={['Project', 'Nodes', 'Token', 'Policy', 'Change']}
        empty="None."
        rows={(items ?? []).map(({ project_id, nodes, has_token, access_policy }) => ({
          key: project_id,
          cells: [
            project_id,
            nodes.length === 0 ? 'any' : nodes.join(', '),
            has_token ? 'has one' : 'none',
            <code>{access_policy == null ? 'default' : JSON.stringify(access_policy)}</code>,
            <button
              type="button"
              onClick={() =>
                setDraft({
                  projectId: project_id,
                  policy: access_policy == null ? '' : JSON.stringify(access_policy, null, 2),
                })
              }
            >
              Edit <span class="visually-hidden">the policy of {project_id}</span>
            </button>,
          ],
        }))}
      />
      {draft !== null && (
        <div class="policy">
          <JsonEditor
            id="policy"
            label={`Policy of ${draft.projectId}, as JSON; empty: the default`}
            text={draft.policy}
            schema={POLICY}
            faults={wrong}
            lines={8}
            onText={(policy) => setDraft({ ...draft, policy })}
          />
          <div class="bar">
            <button
              type="button"
              class="primary"
              disabled={wrong.length > 0}
              onClick={() => void act(() => save(draft))}
            >
              Save the policy
            </button>
            <button type="button" onClick={() => setDraft(null)}>
              Leave it as it is
            </button>
          </div>
        </div>
      )}
      <form
        class="bar"
        onSubmit={(event) => {
          event.preventDefault();
          void act(async () => {
            await control.request('project_create', { project_id: name });
            setName('');
          });
        }}
      >
        <label>
          <span class="label">New project</span>
          <input
            type="text"
            value={name}
            autocomplete="off"
            onInput={({ currentTarget }) => setName(currentTarget.value)}
          />
        </label>
        <button type="submit" disabled={name === ''}>
          Make a project
        </button>
      </form>
    </section>
  );
}
