import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Editor } from '../editor/mount-editor.js';
import type { RequestFault } from '../model/request-faults.js';

interface Props {
  readonly id: string;
  readonly label: string;
  readonly text: string;
  readonly schema?: unknown;
  readonly faults: readonly RequestFault[];
  readonly lines?: number;
  readonly isReadOnly?: boolean;
  readonly onText: (text: string) => void;
}

type Mount = typeof import('../editor/mount-editor.js').mountEditor;
let loaded: Mount | null = null;

/** JSON to edit, with what the schema offers while typing. Until the editor is loaded it is a plain field, with the same text. */
export function JsonEditor(props: Props): JSX.Element {
  const { id, label, faults, text, onText } = props;
  const [mount, setMount] = useState<{ readonly by: Mount } | null>(loaded === null ? null : { by: loaded });
  const plain = useRef<HTMLTextAreaElement>(null);
  const cursor = useRef<number | null>(null);
  useEffect(() => {
    if (mount !== null) return;
    let isWanted = true;
    import('../editor/mount-editor.js').then(
      ({ mountEditor }) => {
        loaded = mountEditor;
        if (!isWanted) return;
        const field = plain.current;
        if (field !== null && document.activeElement === field) cursor.current = field.selectionStart;
        setMount({ by: mountEditor });
      },
      () => undefined, // Without it, the plain field serves.
    );
    return () => {
      isWanted = false;
    };
  }, []);
  return (
    <div class="field">
      {mount === null ? <label for={id}>{label}</label> : <span class="name">{label}</span>}
      {mount === null ? (
        <textarea
          id={id}
          ref={plain}
          class="mono"
          rows={props.lines ?? 12}
          spellcheck={false}
          readOnly={props.isReadOnly === true}
          value={text}
          aria-invalid={faults.length > 0}
          aria-describedby={`${id}-faults`}
          onInput={({ currentTarget }) => onText(currentTarget.value)}
        />
      ) : (
        <Mounted {...props} mount={mount.by} cursor={cursor.current} />
      )}
      <ul id={`${id}-faults`} class="failed plain" aria-live="polite">
        {faults.map(({ at, message }) => (
          <li>
            {at !== '' && <code>{at}</code>} {message}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Mounted({
  label,
  text,
  schema,
  faults,
  lines = 12,
  isReadOnly = false,
  onText,
  mount,
  cursor,
}: Props & { readonly mount: Mount; readonly cursor: number | null }): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const now = useRef({ schema, onText });
  now.current = { schema, onText };
  useLayoutEffect(() => {
    if (host.current === null) return undefined;
    const made = mount(host.current, {
      label,
      text,
      minLines: lines,
      isReadOnly,
      schemaNow: () => now.current.schema,
      onText: (typed) => now.current.onText(typed),
    });
    editor.current = made;
    if (cursor !== null) made.focus(cursor);
    return () => made.close();
  }, [mount]);
  useLayoutEffect(() => editor.current?.setText(text), [text]);
  useLayoutEffect(() => editor.current?.setFaults(faults), [faults]);
  return <div class="editor" ref={host} />;
}
