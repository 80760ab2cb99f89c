import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { piecesOf } from '../model/ansi.js';
import type { FilesLink } from '../wire/files.js';
import { Fault } from '../wire/fault.js';
import { follow } from '../wire/follow.js';

interface Props {
  readonly label: string;
  readonly files: FilesLink;
  readonly path: string;
  readonly isGrowing: boolean;
}

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
    const decoder = new TextDecoder();
    let at = 0;
    follow(files, path, {
      isGrowing: () => growing.current,
      over: following.signal,
      take: async (opened) => {
        const bytes = await opened.read(at);
        at += bytes.length;
        const piece = decoder.decode(bytes, { stream: true });
        if (piece !== '' && !following.signal.aborted)
          setText((before) => (before + piece).slice(-MOST_BYTES));
        return at;
      },
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
