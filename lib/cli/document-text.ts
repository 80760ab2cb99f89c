import { lexer, type Token, type Tokens } from 'marked';
import pc from 'picocolors';
import { widthOf } from './text-width.js';

/** Where lines end without a terminal; and on wide ones, as longer lines are hard to read. */
const WIDTH = 80;
const WIDEST = 100;

/** A document in Markdown as text for a terminal: headings and names stand out, lines are broken. */
export function textOfDocument(markdown: string, columns = WIDTH): string {
  return `${blocks(lexer(markdown), Math.max(20, Math.min(columns, WIDEST))).join('\n\n')}\n`;
}

function blocks(tokens: readonly Token[], width: number): string[] {
  return tokens.map((token) => block(token, width)).filter((text) => text !== '');
}

function block(token: Token, width: number): string {
  switch (token.type) {
    case 'heading': {
      const { depth, text } = token as Tokens.Heading;
      const title = inline((token as Tokens.Heading).tokens, String);
      return pc.bold(
        depth === 1 ? `${title}\n${'='.repeat(widthOf(text))}` : depth === 2 ? pc.underline(title) : title,
      );
    }
    case 'paragraph':
      return wrapped(inline((token as Tokens.Paragraph).tokens), width);
    case 'code':
      return indented((token as Tokens.Code).text, '    ');
    case 'blockquote':
      return indented(blocks((token as Tokens.Blockquote).tokens, width - 2).join('\n\n'), '  ');
    case 'list':
      return list(token as Tokens.List, width);
    case 'table':
      return table(token as Tokens.Table, width);
    case 'text':
      return wrapped(inline([token]), width);
    default:
      // Blank lines, rules, comments, and what links are called.
      return '';
  }
}

function list({ items, ordered, start }: Tokens.List, width: number): string {
  return items
    .map((item, at) => {
      const mark = ordered ? `${Number(start) + at}. ` : '- ';
      const text = blocks(item.tokens, width - mark.length).join(item.loose ? '\n\n' : '\n');
      return mark + indented(text, ' '.repeat(mark.length)).trimStart();
    })
    .join('\n');
}

/** A row is its first cell, and the others below it: they are sentences rather than columns. */
function table({ header, rows }: Tokens.Table, width: number): string {
  return rows
    .map((row) => {
      const [first = '', ...others] = row.map(({ tokens }) => inline(tokens));
      const last = others.length - 1;
      const body = others
        .map((cell, at) => (at === last || cell === '' ? cell : `(${header[at + 1]?.text}: ${cell})`))
        .filter((cell) => cell !== '')
        .join(' ');
      return `${wrapped(first, width)}\n${indented(wrapped(body, width - 4), '    ')}`.trimEnd();
    })
    .join('\n');
}

function inline(tokens: readonly Token[], name = pc.bold): string {
  return tokens
    .map((token) => {
      switch (token.type) {
        case 'codespan':
          return name((token as Tokens.Codespan).text);
        case 'strong':
          return pc.bold(inline((token as Tokens.Strong).tokens, name));
        case 'em':
          return pc.underline(inline((token as Tokens.Em).tokens, name));
        case 'link': {
          const { href, tokens: text } = token as Tokens.Link;
          const shown = inline(text, name);
          return /^https?:/.test(href) && !shown.includes(href) ? `${shown} <${href}>` : shown;
        }
        case 'image':
          return `[${(token as Tokens.Image).text}]`;
        case 'br':
          return '\n';
        case 'html':
          return '';
        default:
          return 'tokens' in token && token.tokens !== undefined
            ? inline(token.tokens, name)
            : (token as Tokens.Text).text;
      }
    })
    .join('');
}

/** Broken between words; what colours a word takes no room. */
function wrapped(text: string, width: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((one) => one !== '')) {
    if (line !== '' && seen(line) + 1 + seen(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

// eslint-disable-next-line no-control-regex -- what sets colours begins with one
const seen = (text: string): number => widthOf(text.replaceAll(/\u001b\[\d+m/g, ''));

function indented(text: string, by: string): string {
  return text.replaceAll(/^(?=.)/gm, by);
}
