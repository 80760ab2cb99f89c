import * as z from 'zod';
import {
  message,
  page,
  pageRequest,
  wireId,
  wireJsonObject,
  wireMs,
  wireSecret,
  wireText,
} from './shapes.js';

export const projectMount = z.object({
  mount_path: z.string(),
  node_id: z.string(),
  export_name: z.string(),
});

export const projectRecord = z.object({
  project_id: z.string(),
  name: z.string().nullable(),
  description: z.string().nullable(),
  vision: z.string().nullable().optional(),
  status: z.string().optional(),
  kind: z.string().optional(),
  is_delete_protected: z.boolean().optional(),
  /** It has a token. */
  token_locked: z.boolean().optional(),
  mounts: z.array(projectMount).optional(),
  mount_count: z.int().optional(),
  nodes: z.array(z.string()),
  /** Admins alone are shown it. */
  access_policy: z.unknown().optional(),
  has_token: z.boolean(),
  created_at_ms: wireMs,
  updated_at_ms: wireMs,
});

export const ofProject = z.object({ project_id: wireId });

const change = {
  name: wireText.nullable().optional(),
  description: wireText.nullable().optional(),
  vision: wireText.nullable().optional(),
  status: wireId.optional(),
  kind: wireId.optional(),
  is_delete_protected: z.boolean().optional(),
  nodes: z.array(wireId).max(10_000).optional(),
  access_policy: wireJsonObject.nullable().optional(),
};

const shownOnce = z.object({ project: projectRecord, project_token: wireSecret.nullable() });

export const PROJECT_MESSAGES = {
  project_create: message(
    'admin',
    'a new project; without an id it gets one like its name. With `with_token`, its token is shown this once',
    () => ofProject.partial().extend({ ...change, with_token: z.boolean().optional() }),
    () => shownOnce,
  ),
  project_update: message(
    'admin',
    'changes what is given; the rest stays',
    () => ofProject.extend(change),
    () => z.object({ project: projectRecord }),
  ),
  project_get: message(
    'session',
    'one project; users: the one they are attached to or may attach to, or whose token they show',
    () => ofProject.extend({ project_token: wireSecret.optional() }),
    () => z.object({ project: projectRecord }),
  ),
  project_list: message(
    'session',
    'the projects that you may know of, in pages',
    () => pageRequest,
    () => page.extend({ projects: z.array(projectRecord) }),
  ),
  project_delete: message(
    'admin',
    'forgets a project; sessions attached to it see nothing from then on',
    () => ofProject,
    () => z.object({ project_id: z.string(), deleted: z.boolean() }),
  ),
  project_token_rotate: message(
    'admin',
    'a new project token; proofs of the old one end',
    () => ofProject,
    () => shownOnce,
  ),
  project_token_revoke: message(
    'admin',
    'the project has no token from then on',
    () => ofProject,
    () => z.object({ project: projectRecord }),
  ),
  audit_tail: message(
    'admin',
    'the newest records of the audit log, or those after an id',
    () => z.object({ limit: z.int().min(1).max(10_000).optional(), after_id: z.int().min(0).optional() }),
    () => z.object({ records: z.array(z.looseObject({ audit_id: z.int() })) }),
  ),
} as const;
