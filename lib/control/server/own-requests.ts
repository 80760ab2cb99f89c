/** Requests to join that are remembered; pending ones are fewer. */
const MAX_REMEMBERED = 1024;

/** Which requests to join were made with an admin's token: who approves his own is given the credentials. */
export class OwnRequests {
  readonly #tokens = new Map<string, string>();

  add(requestId: string, tokenId: string): void {
    this.#tokens.set(requestId, tokenId);
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size > MAX_REMEMBERED && oldest !== undefined) this.#tokens.delete(oldest);
  }

  /** Whether it was made with this token. */
  isOf(requestId: string, tokenId: string): boolean {
    return this.#tokens.get(requestId) === tokenId;
  }
}
