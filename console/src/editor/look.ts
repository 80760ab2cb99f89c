import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

/** The page's own colours, in either theme. */
export const look = [
  EditorView.theme({
    '&': {
      backgroundColor: 'var(--raised)',
      color: 'var(--text)',
      border: '1px solid var(--line)',
      borderRadius: '6px',
      fontSize: '0.9em',
    },
    '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '2px' },
    '&.is-wrong': { borderColor: 'var(--bad)' },
    '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5', maxHeight: '32rem' },
    '.cm-content': { padding: '0.5rem 0', caretColor: 'var(--text)' },
    '.cm-cursor': { borderLeftColor: 'var(--text)' },
    '.cm-gutters': {
      backgroundColor: 'var(--code)',
      color: 'var(--faint)',
      border: 'none',
      borderRadius: '6px 0 0 6px',
    },
    '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'transparent' },
    '.cm-activeLineGutter': { color: 'var(--text)' },
    '&.cm-focused .cm-selectionBackground, .cm-selectionBackground, ::selection': {
      backgroundColor: 'color-mix(in srgb, var(--accent) 28%, transparent) !important',
    },
    '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--code)', outline: '1px solid var(--line)' },
    '.cm-tooltip': {
      backgroundColor: 'var(--raised)',
      color: 'var(--text)',
      border: '1px solid var(--line)',
      borderRadius: '6px',
      maxWidth: 'min(32rem, 90vw)',
    },
    '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', maxHeight: '16rem' },
    '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '0.2rem 0.6rem' },
    '.cm-tooltip-autocomplete ul li[aria-selected]': {
      backgroundColor: 'var(--accent)',
      color: 'var(--accent-text)',
    },
    '.cm-completionDetail': { color: 'inherit', opacity: '0.75', fontStyle: 'normal' },
    '.cm-completionIcon': { display: 'none' },
    '.cm-tooltip.cm-completionInfo': { padding: '0.4rem 0.6rem' },
    '.cm-diagnostic': { padding: '0.3rem 0.6rem', borderLeft: '3px solid var(--bad)' },
    '.cm-lintRange-error': {
      backgroundImage: 'none',
      textDecoration: 'underline wavy var(--bad)',
      textUnderlineOffset: '3px',
    },
  }),
  syntaxHighlighting(
    HighlightStyle.define([
      { tag: tags.propertyName, color: 'var(--accent)' },
      { tag: tags.string, color: 'var(--good)' },
      { tag: [tags.number, tags.bool, tags.null], color: 'var(--warn)' },
    ]),
  ),
];
