import type { JSX } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { FaultBox } from '../parts/fault-box.js';
import { Table } from '../parts/table.js';
import { useList } from '../parts/use-list.js';
import type { ControlLink } from '../wire/control.js';

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
  const wrong = draft === null ? null : faultOf(draft.policy);
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
        <div class="field">
          <label for="policy">Policy of {draft.projectId}, as JSON; empty: the default</label>
          <textarea
            id="policy"
            class="mono"
            rows={8}
            spellcheck={false}
            value={draft.policy}
            aria-invalid={wrong !== null}
            aria-describedby="policy-fault"
            onInput={({ currentTarget }) => setDraft({ ...draft, policy: currentTarget.value })}
          />
          <p id="policy-fault" class="failed" aria-live="polite">
            {wrong}
          </p>
          <div class="bar">
            <button
              type="button"
              class="primary"
              disabled={wrong !== null}
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

function faultOf(policy: string): string | null {
  if (policy.trim() === '') return null;
  try {
    const value: unknown = JSON.parse(policy);
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? null
      : 'It must be a JSON object.';
  } catch (thrown) {
    return `It is not JSON: ${(thrown as Error).message}`;
  }
}
