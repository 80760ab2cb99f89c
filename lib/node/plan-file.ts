import { basename, isAbsolute, join, normalize } from 'node:path';
import { FsError, isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import { MAX_MANIFEST_BYTES, readManifest, type ManifestFault } from '../manifest/index.js';
import type { PlannedFile, ReloadPlan, Registry } from '../registry/index.js';
import { RequestFile } from '../services/index.js';
import type { Op } from '../vfs/index.js';

const MAX_REQUEST_BYTES = 1024 * 1024;
const MAX_FILES = 256;
const FORM: JsonObject = { files: { 'NAME.json': '{ "service_id": "NAME", "kind": "KIND" }' } };

/**
 * `plan.json`: the texts of manifests are written to it, and it answers what a reload would do if they were saved. Nothing
 * is changed. For admins; `check` throws what others are to see.
 */
export function planFile(nodeId: string, registry: Registry, check: (op: Op) => void): RequestFile {
  return new RequestFile({
    template: FORM,
    maxBytes: MAX_REQUEST_BYTES,
    check,
    perform: async (request) => {
      const texts = textsFrom(request, registry);
      const plan = await registry.plan(texts, new Set(foldersFrom(request)));
      return documentFrom(nodeId, plan, texts);
    },
  });
}

/** @throws FsError EINVAL */
function textsFrom(request: JsonValue, registry: Registry): Map<string, string | null> {
  const files = isJsonObject(request) ? ownValue(request, 'files') : undefined;
  if (files === undefined || !isJsonObject(files) || Object.keys(files).length > MAX_FILES)
    throw wrong(`"files" must be an object of at most ${MAX_FILES} texts of manifests, by their paths.`);
  return new Map(
    Object.entries(files).map(([name, text]) => {
      if (text !== null && typeof text !== 'string')
        throw wrong(`The text of ${JSON.stringify(name)} must be a string, or null.`);
      if (text !== null && Buffer.byteLength(text) > MAX_MANIFEST_BYTES)
        throw wrong(`The text of ${JSON.stringify(name)} is larger than ${MAX_MANIFEST_BYTES} bytes.`);
      return [pathFrom(name, registry), text];
    }),
  );
}

function pathFrom(name: string, registry: Registry): string {
  if (isAbsolute(name)) return normalize(name);
  const folder = registry.firstServicesDir;
  if (basename(name) !== name || name === '' || folder === undefined)
    throw wrong(
      `${JSON.stringify(name)} must be an absolute path, or a name in a services directory of the node.`,
    );
  return join(folder, name);
}

function foldersFrom(request: JsonValue): string[] {
  const folders = isJsonObject(request) ? ownValue(request, 'in_place_of') : undefined;
  if (folders === undefined) return [];
  if (Array.isArray(folders) && folders.every((folder) => typeof folder === 'string'))
    return folders.map((folder) => normalize(`${folder}/`).slice(0, -1));
  throw wrong('"in_place_of" must be a list of directories.');
}

function wrong(what: string): FsError {
  return new FsError('EINVAL', what, {
    hint: 'Write {"files": {"PATH": "TEXT OF THE MANIFEST"}}; null stands for a file that is gone.',
  });
}

/** As `acheron plan --json` prints it, with the lines at which faults are. */
function documentFrom(
  nodeId: string,
  { files, kept }: ReloadPlan,
  texts: ReadonlyMap<string, string | null>,
): JsonObject {
  const isChange = ({ outcome }: PlannedFile): boolean => ['added', 'updated', 'removed'].includes(outcome);
  return {
    node_id: nodeId,
    changes: files.filter(isChange).length,
    faults: files.reduce((sum, { faults }) => sum + faults.length, 0),
    files: files.map((file) => {
      const text = file.file === null ? null : (texts.get(file.file) ?? null);
      const shown = (fault: ManifestFault): JsonObject => faultWithLine(fault, text, nodeId);
      return {
        file: file.file,
        outcome: file.outcome,
        service_id: file.serviceId,
        version: file.version,
        previous_version: file.previousVersion,
        fields: [...file.fields],
        diff: file.diff,
        faults: file.faults.map(shown),
        warnings: file.warnings.map(shown),
      };
    }),
    kept: [...kept],
  };
}

function faultWithLine(fault: ManifestFault, text: string | null, nodeId: string): JsonObject {
  const excerpt = text === null ? null : readManifest(text, { file: fault.file, nodeId }).excerpt(fault);
  return { ...fault, source: excerpt?.source ?? null, caret: excerpt?.caret ?? null };
}
