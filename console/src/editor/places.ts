import { syntaxTree } from '@codemirror/language';
import type { EditorState } from '@codemirror/state';
import type { Step } from '../model/schema-walk.js';

export type SyntaxNode = ReturnType<typeof syntaxTree>['topNode'];

export interface Range {
  readonly from: number;
  readonly to: number;
}

const VALUES = new Set(['Object', 'Array', 'String', 'Number', 'True', 'False', 'Null']);
export const isValue = ({ name }: SyntaxNode): boolean => VALUES.has(name);

/** The steps that lead to the value that `node` is, or is in. */
export function pathOf(node: SyntaxNode, state: EditorState): readonly Step[] {
  const steps: Step[] = [];
  for (let at = node, { parent } = at; parent !== null; at = parent, { parent } = at) {
    if (at.name === 'Property') steps.unshift(nameOf(at, state) ?? '');
    else if (parent.name === 'Array' && isValue(at)) steps.unshift(valuesOf(parent).findIndex(isSame(at)));
  }
  return steps;
}

/** The name of a property, where it has one that can be read. */
export function nameOf(property: SyntaxNode, state: EditorState): string | null {
  const name = property.getChild('PropertyName');
  if (name === null) return null;
  try {
    return JSON.parse(state.sliceDoc(name.from, name.to)) as string;
  } catch {
    // It is still being typed.
    return null;
  }
}

/** Where the value at a JSON Pointer stands; where there is none, the place nearest to it. */
export function rangeOf(pointer: string, state: EditorState): Range {
  let place: SyntaxNode | null = syntaxTree(state).topNode.firstChild;
  let shown: SyntaxNode | null = place;
  for (const piece of pointer.split('/').slice(1)) {
    if (place === null) break;
    const step: string = piece.replaceAll('~1', '/').replaceAll('~0', '~');
    if (place.name === 'Array') {
      place = valuesOf(place)[Number(step)] ?? null;
      shown = place ?? shown;
    } else {
      const property: SyntaxNode | undefined = place
        .getChildren('Property')
        .find((one) => nameOf(one, state) === step);
      place = property?.lastChild ?? null;
      // A member that should not be there is known by its name.
      shown = property?.getChild('PropertyName') ?? shown;
      if (place !== null && isValue(place) && place.name !== 'Object' && place.name !== 'Array')
        shown = place;
    }
  }
  return shortened(shown, state);
}

/** Where the text stops to be JSON. */
export function firstError(state: EditorState): Range | null {
  let found: Range | null = null;
  syntaxTree(state).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) found ??= { from, to: Math.max(to, Math.min(from + 1, state.doc.length)) };
      return found === null;
    },
  });
  return found;
}

const isSame =
  (node: SyntaxNode) =>
  ({ from, name }: SyntaxNode): boolean =>
    from === node.from && name === node.name;

function valuesOf(array: SyntaxNode): readonly SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let at = array.firstChild; at !== null; at = at.nextSibling) if (isValue(at)) found.push(at);
  return found;
}

/** Of an object or a list its bracket: not all that is in it is wrong. */
function shortened(node: SyntaxNode | null, state: EditorState): Range {
  if (node === null) return { from: 0, to: Math.min(1, state.doc.length) };
  const { name, from, to } = node;
  return { from, to: name === 'Object' || name === 'Array' ? from + 1 : to };
}
