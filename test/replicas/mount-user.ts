/** Whom a mount is used by, and for what. */
export interface MountUse {
  readonly dir: string;
  readonly nodes: readonly string[];
  readonly name: string;
  readonly seed: number;
}

export type FromUser =
  | { readonly type: 'count'; readonly what: string }
  | {
      readonly type: 'ended';
      /** Calls whose end was acknowledged. */
      readonly acknowledged: readonly string[];
      readonly faults: readonly string[];
    };
