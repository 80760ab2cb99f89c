/** Gives all who hold one version of a text the same bytes, and keeps none that nobody holds. */
export class SharedBytes {
  #version: string | undefined;
  #bytes: WeakRef<Uint8Array> | undefined;

  of(version: string, render: () => Uint8Array): Uint8Array {
    const known = this.#version === version ? this.#bytes?.deref() : undefined;
    if (known !== undefined) return known;
    const bytes = render();
    this.#version = version;
    this.#bytes = new WeakRef(bytes);
    return bytes;
  }
}
