import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { hrefOf } from '../model/route.js';
import type { Session } from '../model/session.js';
import { useStore } from '../model/store.js';
import { moveByArrows } from '../parts/arrow-keys.js';
import { FaultBox } from '../parts/fault-box.js';
import { Fault } from '../wire/fault.js';
import type { Entry } from '../wire/files.js';

type Shown =
  | { readonly kind: 'dir'; readonly entries: readonly Entry[] }
  | { readonly kind: 'file'; readonly size: number; readonly bytes: Uint8Array<ArrayBuffer> };

const MOST_BYTES = 1024 * 1024;

/** The tree, to walk and read; everything in it is what a mount of this session shows. */
export function FilesPage({
  session,
  parts,
}: {
  readonly session: Session;
  readonly parts: readonly string[];
}): JSX.Element {
  const { files } = session;
  const state = useStore(files.state);
  const path = parts.join('/');
  const [shown, setShown] = useState<Shown | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (state !== 'open') return;
    let isWanted = true;
    const look = async (): Promise<Shown> => {
      const { kind, size } = await files.stat(path);
      if (kind === 'dir') return { kind, entries: await files.list(path) };
      if (kind === 'symlink') throw new Fault('ELOOP', 'This is a link.', 'Open what it points to.');
      return { kind: 'file', size, bytes: await files.read(path, MOST_BYTES) };
    };
    look().then(
      (found) => {
        if (!isWanted) return;
        setShown(found);
        setFault(null);
      },
      (thrown: unknown) => {
        if (!isWanted) return;
        setShown(null);
        setFault(Fault.from(thrown));
      },
    );
    return () => {
      isWanted = false;
    };
  }, [files, path, state, turn]);
  return (
    <section class="page" aria-labelledby="files">
      <div class="bar">
        <h1 id="files" class="path">
          <a href={hrefOf('files')}>Files</a>
          {parts.map((part, at) => (
            <>
              {' / '}
              <a href={hrefOf('files', ...parts.slice(0, at + 1))}>{part}</a>
            </>
          ))}
        </h1>
        <button type="button" onClick={() => setTurn(turn + 1)}>
          Look again
        </button>
      </div>
      {fault !== null && <FaultBox fault={fault} />}
      {shown?.kind === 'dir' && <Directory parts={parts} entries={shown.entries} />}
      {shown?.kind === 'file' && <FileView name={parts.at(-1) ?? ''} {...shown} />}
    </section>
  );
}

function Directory({
  parts,
  entries,
}: {
  readonly parts: readonly string[];
  readonly entries: readonly Entry[];
}): JSX.Element {
  if (entries.length === 0) return <p class="empty">It is empty.</p>;
  return (
    <ul class="plain files" onKeyDown={(event) => moveByArrows(event)}>
      {entries.map(({ name, kind }) => (
        <li key={name}>
          <a href={hrefOf('files', ...parts, name)}>{kind === 'dir' ? `${name}/` : name}</a>
          {kind === 'symlink' && <span class="faint"> link</span>}
        </li>
      ))}
    </ul>
  );
}

const IMAGES = new Map([
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['gif', 'image/gif'],
  ['webp', 'image/webp'],
]);

/** Text and plain images are shown; anything else, SVG too, which can hold scripts, is there to download. */
function FileView({
  name,
  size,
  bytes,
}: {
  readonly name: string;
  readonly size: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}): JSX.Element {
  const type = IMAGES.get(name.toLowerCase().split('.').at(-1) ?? '');
  const [address, setAddress] = useState('');
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([bytes], { type: type ?? 'application/octet-stream' }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [bytes, type]);
  const text = type === undefined ? textOf(bytes) : null;
  return (
    <>
      <p class="faint">
        {size.toLocaleString('en')} bytes
        {size > bytes.length && `, of which the first ${bytes.length.toLocaleString('en')} are shown`}
        {address !== '' && size <= bytes.length && (
          <>
            {' · '}
            <a href={address} download={name}>
              Download
            </a>
          </>
        )}
      </p>
      {type !== undefined && address !== '' && <img src={address} alt={name} />}
      {text !== null && (
        <pre class="file" tabIndex={0} aria-label={name}>
          {text}
        </pre>
      )}
      {type === undefined && text === null && <p class="faint">It is no text.</p>}
    </>
  );
}

function textOf(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return text.includes('\0') ? null : text;
  } catch {
    // Bytes that are no UTF-8.
    return null;
  }
}
