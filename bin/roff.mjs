// Text and Markdown as man(7) has them: the macros that both groff and mandoc know, in ASCII.
import { lexer } from 'marked';

const GLYPHS = { '\\': '\\e', '-': '\\-', "'": '\\(aq', '`': '\\(ga', '^': '\\(ha', '~': '\\(ti' };

/** Text as it is, also where a line of it begins as a request does. */
export function plain(text) {
  return text
    .replaceAll(/[\\'`^~-]/g, (one) => GLYPHS[one])
    .replaceAll(
      /[^\0-\x7f]/gu,
      (one) => `\\[u${one.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`,
    )
    .replaceAll(/^\./gm, '\\&.');
}

/** An argument of a macro. */
export const quoted = (text) => `"${plain(text).replaceAll('"', '\\(dq').replaceAll(/\s+/g, ' ')}"`;

/** A paragraph: one sentence may take several lines, and none is long. */
export function filled(roff) {
  const lines = [''];
  for (const word of roff.split(/\s+/).filter((one) => one !== '')) {
    const line = lines.at(-1);
    if (line !== '' && line.length + word.length >= 78) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  // Words that were amid a line may begin one now.
  return lines.map((line) => line.replace(/^(?=[.'])/, '\\&')).join('\n');
}

export const paragraph = (text) => `.PP\n${filled(plain(text))}`;

/** A name and what is said of it; both are roff. */
export const tagged = (tag, body) => `.TP\n${tag === '' ? '\\&' : tag}\n${filled(body) || '\\&'}`;

export function verbatim(text) {
  const lines = plain(text.replaceAll('\t', '        ')).split('\n');
  return `.PP\n.RS 4\n.nf\n${lines.map((line) => (line === '' ? '\\&' : line)).join('\n')}\n.fi\n.RE`;
}

/** The blocks of a document below its title, which comes apart; its chapters are sections. */
export function document(markdown) {
  const tokens = lexer(markdown);
  const title = tokens.find(({ type, depth }) => type === 'heading' && depth === 1)?.text ?? '';
  const rest = tokens.filter(({ type, depth }) => type !== 'heading' || depth !== 1);
  return { title, body: blocks(rest) };
}

function blocks(tokens) {
  return tokens
    .map(block)
    .filter((roff) => roff !== '')
    .join('\n')
    .replaceAll(/(^\.S[HS] .*\n)\.PP\n/gm, '$1');
}

function block(token) {
  switch (token.type) {
    case 'heading':
      return heading(token);
    case 'paragraph':
      return `.PP\n${filled(inline(token.tokens))}`;
    case 'text':
      return filled(inline([token]));
    case 'code':
      return verbatim(token.text);
    case 'blockquote':
      return `.RS 4\n${blocks(token.tokens)}\n.RE`;
    case 'list':
      return list(token);
    case 'table':
      return table(token);
    default:
      // Blank lines, rules, comments, and what links are called.
      return '';
  }
}

function heading({ depth, tokens }) {
  const title = wordsOf(tokens);
  if (depth === 2) return `.SH ${quoted(title.toUpperCase())}`;
  return depth === 3 ? `.SS ${quoted(title)}` : `.PP\n\\fB${plain(title)}\\fP`;
}

function list({ items, ordered, start }) {
  return items
    .map(({ tokens }, at) => {
      const mark = ordered ? `${Number(start) + at}.` : '\\(bu';
      const [first, ...others] = tokens;
      const text = first.tokens === undefined ? block(first) : filled(inline(first.tokens));
      const below = blocks(others);
      return `.IP ${mark} 4\n${text || '\\&'}${below === '' ? '' : `\n.RS 4\n${below}\n.RE`}`;
    })
    .join('\n');
}

/** A row is its first cell, and the others below it: they are sentences rather than columns. */
function table({ header, rows }) {
  return rows
    .map((row) => {
      const [first, ...others] = row.map(({ tokens }) => inline(tokens));
      const cells = others.map((cell, at) => {
        if (cell === '' || at === others.length - 1) return cell;
        return `(${plain(header[at + 1].text)}: ${cell})`;
      });
      return tagged(first, cells.filter((cell) => cell !== '').join(' '));
    })
    .join('\n');
}

function inline(tokens) {
  return tokens
    .map((token) => {
      if (token.type === 'codespan') return `\\fB${plain(token.text)}\\fP`;
      if (token.type === 'strong') return `\\fB${plain(wordsOf(token.tokens))}\\fP`;
      if (token.type === 'em') return `\\fI${plain(wordsOf(token.tokens))}\\fP`;
      if (token.type === 'link') return inline(token.tokens) + target(token);
      if (token.type === 'html') return '';
      if (token.type === 'br') return ' ';
      return token.tokens === undefined ? plain(token.text) : inline(token.tokens);
    })
    .join('');
}

const target = ({ href, text }) => (/^https?:/.test(href) && !text.includes(href) ? ` <${plain(href)}>` : '');

/** What is written in it, without how. */
function wordsOf(tokens) {
  return tokens.map((token) => (token.tokens === undefined ? token.text : wordsOf(token.tokens))).join('');
}
