import { FsError, isJsonObject } from '../../core/index.js';
import {
  MAX_CATALOG_CHARS,
  ProtocolFault,
  type CatalogPart,
  type CatalogText,
} from '../../protocol/index.js';
import { isTooDeep } from '../json-depth.js';

/** The parts of a catalog that one connection has sent, until the upsert that they are of. */
export class UpsertParts {
  #nodeId = '';
  #parts: string[] = [];
  #chars = 0;

  /** @throws ProtocolFault `conflict` for a part that does not follow the one before, `frame_too_large` for too much */
  take({ node_id: nodeId, part, text }: CatalogPart): void {
    if (part === 0) this.clear();
    if (part !== this.#parts.length || (part > 0 && nodeId !== this.#nodeId))
      throw new ProtocolFault(
        'conflict',
        `Part ${part} does not follow the one before. Begin again with part 0.`,
      );
    if (this.#chars + text.length > MAX_CATALOG_CHARS) {
      this.clear();
      throw new ProtocolFault(
        'frame_too_large',
        `A catalog has at most ${MAX_CATALOG_CHARS} characters of JSON.`,
      );
    }
    this.#nodeId = nodeId;
    this.#parts.push(text);
    this.#chars += text.length;
  }

  /** What the `count` parts say together; they are forgotten. @throws ProtocolFault, FsError EINVAL */
  join(nodeId: string, count: number): CatalogText {
    if (count !== this.#parts.length || nodeId !== this.#nodeId)
      throw new ProtocolFault('conflict', `${this.#parts.length} parts came. Begin again with part 0.`);
    const text = this.#parts.join('');
    this.clear();
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (thrown) {
      throw new FsError('EINVAL', 'The parts are no JSON together.', { cause: thrown });
    }
    if (!isJsonObject(value) || isTooDeep(value))
      throw new ProtocolFault('invalid_payload', 'The parts are no object together, or nested too deep.');
    return value as unknown as CatalogText;
  }

  clear(): void {
    this.#nodeId = '';
    this.#parts = [];
    this.#chars = 0;
  }
}
