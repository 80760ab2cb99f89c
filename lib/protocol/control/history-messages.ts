import * as z from 'zod';
import {
  message,
  page,
  pageRequest,
  wireId,
  wireJsonObject,
  wireMs,
  wireRevision,
  wireSecret,
  wireText,
} from './shapes.js';

/** The most that one report on a reload may be, characters of JSON. */
export const MAX_REPORT_CHARS = 256 * 1024;
/** Files that one report names; of more, those at which nothing changed are left out first. */
export const MAX_REPORT_FILES = 1000;
/** Faults and warnings of one file that a report has. */
export const MAX_FILE_FAULTS = 16;
/** Services directories that one report names. */
const MAX_FOLDERS = 64;
const MAX_FIELDS = 64;
/** Most changes on a page. */
const MAX_CHANGES = 500;
const MAX_RELOADS = 200;

const longText = z.string().max(4096);
const sourceLine = z.string().max(512);

export const historyChange = z.object({
  node_id: z.string(),
  service_id: z.string(),
  /** To admins: the global revision. */
  revision: wireRevision.optional(),
  /** To users: counts the changes of the service that they may see. */
  seq: z.int().optional(),
  timestamp_ms: wireMs,
  change: z.enum(['added', 'updated', 'removed', 'enabled', 'disabled', 'config']),
  version: z.string().nullable(),
  hash: z.string().nullable(),
  previous_version: z.string().nullable(),
  previous_hash: z.string().nullable(),
  fields: z.array(z.string()),
  /** To admins: the manifest. */
  source: z.string().nullable().optional(),
});

const fault = z.object({
  line: z.int(),
  column: z.int(),
  pointer: longText,
  message: longText,
  expected: longText,
  got: longText,
  hint: longText,
  source: sourceLine.nullable(),
  caret: sourceLine.nullable(),
});

export const RELOAD_OUTCOMES = [
  ...(['added', 'updated', 'kept', 'unchanged', 'removed'] as const),
  ...(['refused', 'last-good', 'disabled'] as const),
] as const;

const reloadedFile = z.object({
  path: longText,
  digest: z.string().max(64).nullable(),
  outcome: z.enum(RELOAD_OUTCOMES),
  services: z.array(wireId).max(MAX_FILE_FAULTS),
  version: wireText.nullable(),
  previous_version: wireText.nullable(),
  fields: z.array(longText).max(MAX_FIELDS),
  still_runs: z.object({ service_id: wireId, version: wireText, digest: wireText }).nullable(),
  faults: z.array(fault).max(MAX_FILE_FAULTS),
  warnings: z.array(fault).max(MAX_FILE_FAULTS),
});

/** What a reload did, file by file. */
const reload = {
  timestamp_ms: wireMs,
  reason: z.enum(['start', 'change']),
  files: z.array(reloadedFile).max(MAX_REPORT_FILES),
  /** How many files are left out. */
  more: z.int().min(0),
  folders: z.array(z.object({ path: longText, message: longText, hint: longText })).max(MAX_FOLDERS),
};
export const reloadReport = z.object({ report_id: wireId, ...reload });
export type WireReloadReport = z.infer<typeof reloadReport>;

const ofNode = z.object({ node_id: wireId });

export const HISTORY_MESSAGES = {
  history_list: message(
    'session',
    'the changes of all services that you may see, of one node or of one service, newest first, in pages; of a page, `next` is the `after` of the one that follows',
    () =>
      z.object({
        node_id: wireId.optional(),
        service_id: wireId.optional(),
        limit: z.int().min(1).max(MAX_CHANGES).optional(),
        after: wireText.optional(),
      }),
    () => page.extend({ changes: z.array(historyChange) }),
  ),
  history_get: message(
    'session',
    'one change of a service (`n` is its `revision` or `seq`, or it is found by `hash`; default: the newest), with the descriptor from then on, and what differs from the one before as `diff -u` prints it',
    () => ofNode.extend({ service_id: wireId, n: wireRevision.optional(), hash: wireText.optional() }),
    () =>
      z.object({
        node_id: z.string(),
        service_id: z.string(),
        change: historyChange,
        descriptor: wireJsonObject.nullable(),
        diff: z.string(),
      }),
  ),
  reload_list: message(
    'admin',
    'the reloads of manifests that changed something or found other faults than before, of all nodes or of one, newest first, in pages',
    () =>
      z.object({
        node_id: wireId.optional(),
        limit: z.int().min(1).max(MAX_RELOADS).optional(),
        after: pageRequest.shape.after,
      }),
    () =>
      page.extend({
        reloads: z.array(
          z.object({
            node_id: z.string(),
            n: z.int(),
            timestamp_ms: wireMs,
            reason: z.string(),
            outcomes: z.record(z.string(), z.int()),
            faults: z.int(),
            services: z.array(z.string()),
          }),
        ),
      }),
  ),
  reload_get: message(
    'admin',
    'one reload of a node (default: the newest), file by file: what became of each, and for a refusal where the fault is and what runs in its place',
    () => ofNode.extend({ n: z.int().min(1).optional() }),
    () => z.object({ node_id: z.string(), n: z.int(), ...reload }),
  ),
  node_reload_report: message(
    'node',
    'what a reload of the manifests did; each report is kept once',
    () => ofNode.extend({ node_secret: wireSecret, epoch: z.int().min(0).optional(), report: reloadReport }),
    () => z.object({ accepted: z.boolean() }),
  ),
} as const;
