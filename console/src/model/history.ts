import type { ControlReply } from 'acheron/protocol';

/** One version of a service, or its end. */
export type Change = ControlReply<'history_list'>['changes'][number];
export type Version = ControlReply<'history_get'>;
export type ReloadSummary = ControlReply<'reload_list'>['reloads'][number];
export type ReloadReport = ControlReply<'reload_get'>;
export type ReloadedFile = ReloadReport['files'][number];
export type ManifestFault = ReloadedFile['faults'][number];

/** What a reload would make of one file. */
export interface PlannedFile {
  readonly file: string | null;
  readonly outcome: string;
  readonly service_id: string | null;
  readonly version: string | null;
  readonly previous_version: string | null;
  readonly fields: readonly string[];
  readonly diff: string;
  readonly faults: readonly ManifestFault[];
  readonly warnings: readonly ManifestFault[];
}

/** What `plan.json` of a node answers. */
export interface Plan {
  readonly node_id: string;
  readonly changes: number;
  readonly faults: number;
  readonly files: readonly PlannedFile[];
  readonly kept: readonly string[];
}

/** The number of a version, by which it is asked for. */
export const numberOf = ({ revision, seq }: Change): number => revision ?? seq ?? 0;
