import * as z from 'zod';
import { once } from '../../core/index.js';
import { ofProject, projectMount, projectRecord } from './project-messages.js';
import { message, nothing, wireId, wireMs, wireSecret, wireText } from './shapes.js';

/** A mount, and how its files are reached. */
const reachedMount = projectMount.extend({
  node_name: z.string(),
  fs_url: z.string(),
  /** Opens the files of one session alone, and nothing on the control channel. */
  fs_auth_token: wireSecret,
  online: z.boolean(),
});

/** A difference between what a project mounts and what is there. */
const driftItem = z.object({
  mount_path: z.string(),
  kind: z.enum(['missing_node', 'node_offline', 'failover_active']),
  severity: z.enum(['err', 'warning']),
  selected_node_id: z.string(),
  desired_node_id: z.string(),
  message: z.string(),
});

/** What was wanted was compared with what is there when this was asked. */
const reconciled = {
  reconcile_state: z.enum(['idle', 'degraded']),
  last_reconcile_ms: wireMs,
  last_success_ms: wireMs,
  last_error: z.string().nullable(),
  queue_depth: z.int(),
};

export const workspaceStatus = z.object({
  agent_id: z.string().nullable(),
  project_id: z.string().nullable(),
  workspace_root: z.string().nullable(),
  /** Undefined where nothing is mounted. */
  fs_auth_token: wireSecret.optional(),
  /** Of the nodes at one path the first that is online. */
  mounts: z.array(reachedMount),
  desired_mounts: z.array(reachedMount),
  actual_mounts: z.array(reachedMount),
  drift: z.object({ count: z.int(), items: z.array(driftItem) }),
  availability: z.object({
    mounts_total: z.int(),
    online: z.int(),
    degraded: z.int(),
    missing: z.int(),
  }),
  ...reconciled,
});
export type WireWorkspaceStatus = z.infer<typeof workspaceStatus>;

const shownToken = { project_token: wireSecret.nullable().optional() };
const wantedMount = { node_id: wireId, export_name: wireId, mount_path: wireText };
const changed = once(() => z.object({ project: projectRecord }));

/** Projects as trees of mounts: what programs ask that mount by themselves what a project says. */
export const WORKSPACE_MESSAGES = {
  project_mount_set: message(
    'admin',
    'mounts an export or service of a node at a path of the project; a further node at the same path stands in while the one before is away, or, with `replace`, takes its place',
    () => ofProject.extend({ ...shownToken, ...wantedMount, replace: z.boolean().optional() }),
    changed,
  ),
  project_mount_remove: message(
    'admin',
    'removes what is mounted at a path: all, or that of one node and export',
    () =>
      ofProject.extend({
        ...shownToken,
        mount_path: wireText,
        node_id: wireId.optional(),
        export_name: wireId.optional(),
      }),
    changed,
  ),
  project_mount_list: message(
    'session',
    'the mounts of a project that you may see',
    () => ofProject.extend(shownToken),
    () => z.object({ project_id: z.string(), mounts: z.array(projectMount) }),
  ),
  workspace_template_list: message(
    'session',
    'what a project may be made from, as programs of the family ask: there is none, a project is made empty',
    () => nothing,
    () => z.object({ templates: z.array(z.never()) }),
  ),
  workspace_template_get: message(
    'session',
    'one of them: `not_found`',
    () => z.object({ template_id: wireText }),
    () => z.never(),
  ),
  venom_bind: message(
    'session',
    'where a service is, as programs of the family ask: at the node that is named, or the first one that has it. Nothing is chosen by that: who calls a service says at which node; `not_found` where you see none',
    () =>
      ofProject.partial().extend({
        service_id: wireId,
        node_id: wireId.optional(),
        scope: wireId.optional(),
        agent_id: wireId.optional(),
      }),
    () => z.object({ node_id: z.string(), service_id: z.string(), service_path: z.string() }),
  ),
  project_activate: message(
    'session',
    'attaches this session to a project, as `session_attach` does; what it mounts is answered by `workspace_status` to later connections of the same token, too',
    () => ofProject.extend(shownToken),
    () => workspaceStatus,
  ),
  project_up: message(
    'admin',
    'a project by its id, or by its name and made where there is none: changed as is said, with these mounts, and activated unless `activate` is false',
    () =>
      z.object({
        ...shownToken,
        project_id: wireId.optional(),
        name: wireText.optional(),
        vision: wireText.optional(),
        status: wireId.optional(),
        activate: z.boolean().optional(),
        desired_mounts: z.array(z.object(wantedMount)).max(1000).optional(),
      }),
    () =>
      z.object({
        project_id: z.string(),
        /** Of a new project its token, shown this once; else the one that was shown, if it is right. */
        project_token: wireSecret.nullable(),
        created: z.boolean(),
        activated: z.boolean(),
        workspace: workspaceStatus,
      }),
  ),
  workspace_status: message(
    'session',
    'what a project mounts, and how that is reached: of the one that is named, else of the one that this session, or the last one of the token, is attached to. Of its mounts a user gets those that the user sees',
    () => ofProject.partial().extend(shownToken),
    () => workspaceStatus,
  ),
  reconcile_status: message(
    'session',
    'how far what projects mount is there, of those that you may know of or of one',
    () => ofProject.partial().extend(shownToken),
    () =>
      z.object({
        ...reconciled,
        failed_ops_total: z.int(),
        cycles_total: z.int(),
        failed_ops: z.array(z.string()),
        projects: z.array(
          z.object({
            project_id: z.string(),
            mounts: z.int(),
            drift_count: z.int(),
            queue_depth: z.int(),
          }),
        ),
      }),
  ),
} as const;
