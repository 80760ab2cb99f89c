import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { bracketMatching, indentOnInput, indentUnit } from '@codemirror/language';
import { setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import { drawSelection, EditorView, keymap, lineNumbers } from '@codemirror/view';
import type { RequestFault } from '../model/request-faults.js';
import { schemaCompletion } from './complete.js';
import { look } from './look.js';
import { firstError, rangeOf } from './places.js';

export interface EditorOptions {
  readonly label: string;
  readonly text: string;
  readonly minLines: number;
  readonly isReadOnly: boolean;
  readonly schemaNow: () => unknown;
  readonly onText: (text: string) => void;
}

export interface Editor {
  /** Shows this text. What is the same already keeps its cursor. */
  setText(text: string): void;
  /** Underlines what is wrong, at its place. */
  setFaults(faults: readonly RequestFault[]): void;
  focus(cursor?: number): void;
  close(): void;
}

/**
 * An editor for JSON in `host`. It lives in a shadow root: there its styles are sheets that were made by script,
 * which the page's policy lets be; as an element they would be refused.
 */
export function mountEditor(host: HTMLElement, options: EditorOptions): Editor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  let isSetting = false;
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        indentOnInput(),
        indentUnit.of('  '),
        bracketMatching(),
        closeBrackets(),
        json(),
        autocompletion({ override: [schemaCompletion(options.schemaNow)] }),
        keymap.of([...closeBracketsKeymap, ...completionKeymap, ...defaultKeymap, ...historyKeymap]),
        EditorView.lineWrapping,
        EditorState.readOnly.of(options.isReadOnly),
        EditorView.contentAttributes.of({ 'aria-label': options.label }),
        EditorView.theme({ '.cm-content, .cm-gutter': { minHeight: `${options.minLines * 1.5}em` } }),
        look,
        EditorView.updateListener.of(({ docChanged, state }) => {
          if (docChanged && !isSetting) options.onText(state.doc.toString());
        }),
      ],
    }),
  });
  return {
    setText: (text) => {
      const now = view.state.doc.toString();
      if (text === now) return;
      isSetting = true;
      view.dispatch({ changes: changeBetween(now, text) });
      isSetting = false;
    },
    setFaults: (faults) => {
      view.dom.classList.toggle('is-wrong', faults.length > 0);
      view.contentDOM.setAttribute('aria-invalid', String(faults.length > 0));
      const { state } = view;
      const diagnostics = faults.map(({ at, message }): Diagnostic => ({
        ...((at === '' ? firstError(state) : null) ?? rangeOf(at, state)),
        severity: 'error',
        message,
      }));
      view.dispatch(setDiagnostics(state, diagnostics));
    },
    focus: (cursor) => {
      view.focus();
      if (cursor !== undefined)
        view.dispatch({ selection: { anchor: Math.min(cursor, view.state.doc.length) } });
    },
    close: () => view.destroy(),
  };
}

/** The one stretch that differs, so that the cursor stays where it is in the rest. */
function changeBetween(before: string, after: string): { from: number; to: number; insert: string } {
  let from = 0;
  while (from < before.length && from < after.length && before[from] === after[from]) from++;
  let same = 0;
  const most = Math.min(before.length, after.length) - from;
  while (same < most && before.at(-1 - same) === after.at(-1 - same)) same++;
  return { from, to: before.length - same, insert: after.slice(from, after.length - same) };
}
