import { ForwardingTransport, type Message, type Transport } from '../../transport/index.js';
import type { Membership } from '../../cluster/index.js';

/** RFC 6455: try again later. */
const TRY_AGAIN_LATER = 1013;
const REASON = 'This replica has lost touch with its store.';

/** A connection that delivers nothing while this replica may serve nothing: it ends, and its client goes elsewhere. */
export class GatedTransport extends ForwardingTransport {
  readonly #membership: Membership;

  constructor(inner: Transport, membership: Membership) {
    super(inner);
    this.#membership = membership;
    const stop = membership.servingChanged.on((serves) => {
      if (!serves) this.#end();
    });
    inner.onClose(stop);
  }

  override receive(receiver: (message: Message) => void): void {
    super.receive((message) => {
      if (this.#membership.isServing()) receiver(message);
      else this.#end();
    });
  }

  #end(): void {
    if (this.inner.open) this.inner.close(TRY_AGAIN_LATER, REASON);
  }
}
