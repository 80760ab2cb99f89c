import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import { documentFromJson, lastingDescriptor, type JsonObject } from '../core/index.js';

/** More lines than anybody reads one by one: what differs in more is shown as all removed, then all added. */
const MAX_EDIT_LINES = 2000;

/** One version of a service: how it is called in the heading of a diff, and its descriptor; null where there was none. */
export interface DescriptorVersion {
  readonly name: string;
  readonly descriptor: JsonObject | null;
}

/**
 * What leads from one version of a descriptor to another, as `diff -u` prints it: the documents as `SERVICE.json` shows
 * them, without what a node writes anew on each start. Empty where they are the same. Pure.
 */
export function descriptorDiff(before: DescriptorVersion, after: DescriptorVersion): string {
  const [old, now] = [textOf(before), textOf(after)];
  if (old === now) return '';
  const patch = (from: string, to: string, maxEditLength?: number): string | undefined =>
    createTwoFilesPatch(nameOf(before), nameOf(after), from, to, undefined, undefined, {
      context: 3,
      headerOptions: FILE_HEADERS_ONLY,
      ...(maxEditLength === undefined ? {} : { maxEditLength }),
    });
  return patch(old, now, MAX_EDIT_LINES) ?? `${patch(old, '') ?? ''}${patch('', now) ?? ''}`;
}

function textOf({ descriptor }: DescriptorVersion): string {
  return descriptor === null ? '' : documentFromJson(lastingDescriptor(descriptor)).toString();
}

function nameOf({ name, descriptor }: DescriptorVersion): string {
  return descriptor === null ? '/dev/null' : name;
}
