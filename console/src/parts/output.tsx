import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { piecesOf } from '../model/ansi.js';
import type { FilesLink, OpenFile } from '../wire/files.js';
import { Fault } from '../wire/fault.js';

interface Props {
  readonly label: string;
  readonly files: FilesLink;
  readonly path: string;
  readonly isGrowing: boolean;
}

/** How often a stream that grows is looked at, as `tail -f` does. */
const LOOK_MS = 250;
/** The end of it is shown. */
const MOST_BYTES = 512 * 1024;

/** What a program printed, as it comes. */
export function Output({ label, files, path, isGrowing }: Props): JSX.Element | null {
  const [text, setText] = useState('');
  const [fault, setFault] = useState<Fault | null>(null);
  const growing = useRef(isGrowing);
  growing.current = isGrowing;
  useEffect(() => {
    const following = new AbortController();
    setText('');
    setFault(null);
    follow(files, path, {
      isGrowing: () => growing.current,
      isOver: () => following.signal.aborted,
      more: (piece) => setText((before) => (before + piece).slice(-MOST_BYTES)),
    }).catch((thrown: unknown) => {
      if (!following.signal.aborted) setFault(Fault.from(thrown));
    });
    return () => following.abort();
  }, [files, path]);
  const pieces = useMemo(() => piecesOf(text), [text]);
  if (text === '' && fault === null && !isGrowing) return null;
  return (
    <section class="output">
      <h3>{label}</h3>
      {fault !== null && <p class="failed">{fault.message}</p>}
      <pre tabIndex={0} aria-label={label} role="log" aria-live="off">
        {pieces.map(({ text: piece, look }) =>
          look.length === 0 ? piece : <span class={look.join(' ')}>{piece}</span>,
        )}
      </pre>
    </section>
  );
}

interface Follower {
  readonly isGrowing: () => boolean;
  readonly isOver: () => boolean;
  readonly more: (text: string) => void;
}

async function follow(files: FilesLink, path: string, { isGrowing, isOver, more }: Follower): Promise<void> {
  let opened: OpenFile | null = null;
  let at = 0;
  const decoder = new TextDecoder();
  try {
    for (let last = false; !isOver();) {
      try {
        opened ??= await files.open(path, 'r');
        const bytes = await opened.read(at);
        at += bytes.length;
        if (bytes.length > 0 && !isOver()) more(decoder.decode(bytes, { stream: true }));
        if (last) return;
        last = !isGrowing();
      } catch (thrown) {
        if (Fault.from(thrown).code !== 'EHOSTDOWN' || !isGrowing()) throw thrown;
        // It goes on where it was once the connection is back.
        opened = null;
      }
      if (!last) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  } finally {
    opened?.close();
  }
}
