import type { WireAttributes } from '../../protocol/index.js';

/** What the far side says of a name in a directory. */
export interface Found extends WireAttributesOfEntry {
  readonly node: number;
}
export type WireAttributesOfEntry = Partial<WireAttributes> & {
  readonly kind: WireAttributes['kind'];
  readonly bare?: boolean | undefined;
};
