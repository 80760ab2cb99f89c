import t from 'tap';
import { FsError } from '../../lib/core/index.js';
import { ERRNO, type ErrnoCode } from '../../lib/linux/index.js';
import { PROTOCOL_CODES, ProtocolFault, errnoFromCode } from '../../lib/protocol/index.js';

t.test('each code of the protocol is an errno, and one of a newer peer is EIO', async (t) => {
  for (const code of PROTOCOL_CODES) t.ok(Object.hasOwn(ERRNO, errnoFromCode(code)), code);
  t.equal(errnoFromCode('said_by_a_newer_peer'), 'EIO');
});

t.test(
  'an errno that the protocol has a word for comes back as the same, or as its nearest kin',
  async (t) => {
    const nearest = new Map<ErrnoCode, ErrnoCode>([
      ['EPERM', 'EACCES'],
      ['EFBIG', 'E2BIG'],
      ['EDQUOT', 'ENOSPC'],
    ]);
    for (const code of Object.keys(ERRNO) as ErrnoCode[]) {
      const said = ProtocolFault.from(new FsError(code, 'It does not work.')).code;
      if (said === 'internal') t.equal(errnoFromCode(said), 'EIO');
      else t.equal(errnoFromCode(said), nearest.get(code) ?? code, code);
    }
  },
);
