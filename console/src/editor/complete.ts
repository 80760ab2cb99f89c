import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { syntaxTree } from '@codemirror/language';
import type { EditorState } from '@codemirror/state';
import type { EditorView } from '@codemirror/view';
import {
  namesOf,
  partsAt,
  typesOf,
  valuesOf,
  type NameOffer,
  type SchemaPart,
  type Step,
} from '../model/schema-walk.js';
import { nameOf, pathOf, type SyntaxNode } from './places.js';

/** Where the cursor stands: within a member's name, or where a value belongs. */
type Place =
  | { readonly kind: 'name'; readonly object: SyntaxNode; readonly name: SyntaxNode | null }
  | { readonly kind: 'value'; readonly path: readonly Step[]; readonly literal: SyntaxNode | null };

const LITERALS = new Set(['String', 'Number', 'True', 'False', 'Null']);

/** Offers the names and values that the schema knows of at the cursor. */
export function schemaCompletion(
  schemaNow: () => unknown,
): (context: CompletionContext) => CompletionResult | null {
  return ({ state, pos, explicit }) => {
    const place = placeAt(state, pos);
    if (place === null) return null;
    const before = state.sliceDoc(0, pos).trimEnd().at(-1) ?? '';
    if (place.kind === 'value') return values(schemaNow(), place, state, pos);
    const isBegun = place.name !== null || before === '{' || before === ',';
    return isBegun || explicit ? names(schemaNow(), place, state, pos) : null;
  };
}

function placeAt(state: EditorState, pos: number): Place | null {
  const inner = syntaxTree(state).resolveInner(pos, -1);
  const literal = LITERALS.has(inner.name) ? inner : null;
  for (let at: SyntaxNode | null = inner; at !== null; at = at.parent) {
    const isClosed = at.to <= pos && /[}\]]/.test(state.sliceDoc(at.to - 1, at.to));
    switch (at.name) {
      case 'PropertyName': {
        const object = at.parent?.parent;
        return object == null ? null : { kind: 'name', object, name: at };
      }
      case 'Property': {
        const name = at.getChild('PropertyName');
        const isBehind = name !== null && state.sliceDoc(name.to, pos).includes(':');
        return isBehind ? { kind: 'value', path: pathOf(at, state), literal } : null;
      }
      case 'Object':
        if (isClosed) break;
        return { kind: 'name', object: at, name: null };
      case 'Array':
        if (isClosed) break;
        return { kind: 'value', path: [...pathOf(at, state), indexIn(at, pos)], literal };
      default:
    }
    if (isClosed) return null;
  }
  return null;
}

/** Which item of the list is, or would be, at the cursor. */
function indexIn(array: SyntaxNode, pos: number): number {
  let index = 0;
  for (let at = array.firstChild; at !== null && at.to < pos; at = at.nextSibling)
    if (LITERALS.has(at.name) || at.name === 'Object' || at.name === 'Array') index++;
  return index;
}

function names(
  schema: unknown,
  { object, name }: Extract<Place, { kind: 'name' }>,
  state: EditorState,
  pos: number,
): CompletionResult | null {
  const present = new Set(
    object
      .getChildren('Property')
      .filter((property) => property.from !== name?.from)
      .map((property) => nameOf(property, state)),
  );
  const typed = name === null ? '' : state.sliceDoc(name.from + 1, pos).toLowerCase();
  const hasColon = name !== null && /^\s*:/.test(state.sliceDoc(name.to, name.to + 16));
  const options = namesOf(partsAt(schema, pathOf(object, state)))
    .filter((offer) => !present.has(offer.name) && offer.name.toLowerCase().includes(typed))
    .map((offer) => nameOption(offer, hasColon));
  const range = name === null ? { from: pos } : { from: name.from, to: name.to };
  return options.length === 0 ? null : { ...range, options, filter: false };
}

function nameOption({ name, part, isRequired }: NameOffer, hasColon: boolean): Completion {
  const types = typesOf(part).join(' or ');
  return {
    label: name,
    detail: [types, isRequired ? 'required' : ''].filter(Boolean).join(', '),
    type: 'property',
    ...aboutOf(part),
    apply: (view, _, from, to) => {
      const text = JSON.stringify(name);
      if (hasColon) replace(view, from, to, text, text.length);
      else {
        const value = emptyOf(part);
        // The cursor goes to where something is to be typed.
        const into = /^(""|\{\}|\[\])$/.test(value) ? 1 : 0;
        replace(view, from, to, `${text}: ${value}`, text.length + 2 + (into === 0 ? value.length : into));
      }
    },
  };
}

function emptyOf(part: SchemaPart): string {
  const [value] = Object.hasOwn(part, 'default') ? [part.default] : valuesOf([part]);
  if (value !== undefined) return JSON.stringify(value);
  const [type] = typesOf(part);
  return type === 'object' ? '{}' : type === 'array' ? '[]' : type === 'string' ? '""' : '';
}

function values(
  schema: unknown,
  { path, literal }: Extract<Place, { kind: 'value' }>,
  state: EditorState,
  pos: number,
): CompletionResult | null {
  const parts = partsAt(schema, path);
  const word = /[\w.-]*$/.exec(state.sliceDoc(Math.max(0, pos - 128), pos))?.[0] ?? '';
  const range = literal === null ? { from: pos - word.length } : { from: literal.from, to: literal.to };
  const typed = state.sliceDoc(range.from, pos).replace(/^"/, '').toLowerCase();
  const options = valuesOf(parts)
    .map((value) => JSON.stringify(value))
    .filter((text) => text.replace(/^"/, '').toLowerCase().startsWith(typed))
    .map((text): Completion => ({
      label: text,
      type: 'constant',
      apply: (view, _, from, to) => replace(view, from, to, text, text.length),
    }));
  return options.length === 0 ? null : { ...range, options, filter: false };
}

function aboutOf({ description }: SchemaPart): Pick<Completion, 'info'> {
  return typeof description === 'string' ? { info: description } : {};
}

function replace(view: EditorView, from: number, to: number, insert: string, cursor: number): void {
  view.dispatch({
    changes: { from, to, insert },
    selection: { anchor: from + cursor },
    userEvent: 'input.complete',
  });
}
