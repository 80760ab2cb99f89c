import { lexer, type Token, type Tokens } from 'marked';
import type { ComponentChild, JSX } from 'preact';

const SCHEMES = new Set(['https:', 'http:', 'mailto:']);

/** Somebody's Markdown. Each token becomes an element of ours: its HTML stays text, and links have schemes that are known. */
export function Markdown({ text }: { readonly text: string }): JSX.Element {
  return <div class="markdown">{lexer(text).map((token) => shown(token))}</div>;
}

function all(tokens: readonly Token[] | undefined): ComponentChild[] {
  return (tokens ?? []).map((token) => shown(token));
}

function shown(token: Token): ComponentChild {
  switch (token.type) {
    case 'heading': {
      // The page has a heading of its own above these.
      const Heading = ({ 1: 'h2', 2: 'h3', 3: 'h4' } as const)[(token as Tokens.Heading).depth] ?? 'h5';
      return <Heading>{all(token.tokens)}</Heading>;
    }
    case 'paragraph':
      return <p>{all(token.tokens)}</p>;
    case 'code':
      return (
        <pre tabIndex={0}>
          <code>{(token as Tokens.Code).text}</code>
        </pre>
      );
    case 'blockquote':
      return <blockquote>{all(token.tokens)}</blockquote>;
    case 'list':
      return listOf(token as Tokens.List);
    case 'table':
      return tableOf(token as Tokens.Table);
    case 'hr':
      return <hr />;
    case 'br':
      return <br />;
    case 'strong':
      return <strong>{all(token.tokens)}</strong>;
    case 'em':
      return <em>{all(token.tokens)}</em>;
    case 'del':
      return <del>{all(token.tokens)}</del>;
    case 'codespan':
      return <code>{(token as Tokens.Codespan).text}</code>;
    case 'link':
      return linkOf(token as Tokens.Link);
    case 'escape':
      return (token as Tokens.Escape).text;
    case 'text':
      return token.tokens === undefined ? (token as Tokens.Text).text : all(token.tokens);
    case 'space':
    case 'def':
      return null;
    default:
      return token.raw;
  }
}

function linkOf({ href, tokens, raw }: Tokens.Link): ComponentChild {
  const url = URL.canParse(href) ? new URL(href) : null;
  if (url === null || !SCHEMES.has(url.protocol)) return raw;
  return (
    <a href={url.href} rel="noopener noreferrer" target="_blank">
      {all(tokens)}
    </a>
  );
}

function listOf({ ordered, items, start }: Tokens.List): JSX.Element {
  const entries = items.map((item) => <li>{all(item.tokens)}</li>);
  return ordered ? <ol start={typeof start === 'number' ? start : 1}>{entries}</ol> : <ul>{entries}</ul>;
}

function tableOf({ header, rows }: Tokens.Table): JSX.Element {
  return (
    <div class="wide" tabIndex={0} role="group" aria-label="Table">
      <table>
        <thead>
          <tr>
            {header.map((cell) => (
              <th scope="col">{all(cell.tokens)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr>
              {row.map((cell) => (
                <td>{all(cell.tokens)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
