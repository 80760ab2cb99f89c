import t from 'tap';
import { extensionOf, mediaTypeOf } from '../../lib/core/index.js';

t.test('the end of a name says what a file holds', async (t) => {
  t.equal(mediaTypeOf('a.png'), 'image/png');
  t.equal(mediaTypeOf('dir.d/A.JPEG'), 'image/jpeg');
  t.equal(mediaTypeOf('archive.tar.gz'), 'application/gzip');
  for (const name of ['png', '.png', 'a.', 'a.none', 'a.png/b', 'dir/.json', ''])
    t.equal(mediaTypeOf(name), undefined, name);
});

t.test('a media type says how the name of a file ends', async (t) => {
  t.equal(extensionOf('image/jpeg'), 'jpg');
  t.equal(extensionOf('Text/Plain; charset=utf-8'), 'txt');
  t.equal(extensionOf('application/x-none'), undefined);
});
