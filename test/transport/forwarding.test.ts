import t from 'tap';
import { ForwardingTransport, type Transport } from '../../lib/transport/index.js';
import { call, keysOf, recorded, type Kinds } from '../support/recorded.js';

// The compiler demands each key of the interface here: what is new in it is tried from then on.
const TRANSPORT: Kinds<Transport> = {
  open: 'value',
  bufferedBytes: 'value',
  receivedBytes: 'value',
  send: 'method',
  drained: 'method',
  receive: 'method',
  pause: 'method',
  resume: 'method',
  onClose: 'method',
  close: 'method',
  destroy: 'method',
};

t.test('what wraps a transport passes on all that it has', async (t) => {
  const { inner, called } = recorded<Transport>(TRANSPORT, {
    open: true,
    bufferedBytes: 3,
    receivedBytes: 5,
  });
  const outer = new ForwardingTransport(inner);
  for (const key of keysOf<Transport>(TRANSPORT, 'value'))
    t.equal(Reflect.get(outer, key), Reflect.get(inner, key), key);
  for (const key of keysOf<Transport>(TRANSPORT, 'method')) {
    call(outer, key, undefined);
    t.ok(called.has(key), key);
  }
});
