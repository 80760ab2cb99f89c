import { PARAMETER_STYLES } from './http-definition.js';

const TOKEN = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";
const POINTER = '^(/([^~]|~[01])*)?$';
const VARIABLE = '^[A-Za-z_][A-Za-z0-9_]*$';

const text = (description: string) => ({ description, type: 'string', minLength: 1 });
const variable = (what: string) => ({
  description: `The variable that holds ${what}: of "env", else of the node's environment.`,
  type: 'string',
  pattern: VARIABLE,
});
const file = (what: string) => ({
  description: `The file (mode 0600) that holds ${what}, relative to the manifest.`,
  type: 'string',
  minLength: 1,
});

const parameters = (description: string) => ({
  description,
  type: 'object',
  additionalProperties: {
    type: ['string', 'number', 'boolean', 'object'],
    required: ['value'],
    properties: {
      value: { type: 'string' },
      style: { enum: [...PARAMETER_STYLES] },
      explode: { type: 'boolean' },
    },
  },
});

const auth = {
  type: 'object',
  required: ['type'],
  properties: {
    type: { enum: ['bearer', 'basic', 'header', 'query', 'cookie', 'oauth2'] },
    token_env: variable('the token'),
    token_file: file('the token'),
    username: text('The name of the user.'),
    username_env: variable('the name'),
    username_file: file('the name'),
    password_env: variable('the password'),
    password_file: file('the password'),
    name: text('The header, parameter or cookie.'),
    prefix: { description: 'What stands before the value.', type: 'string' },
    value_env: variable('the value'),
    value_file: file('the value'),
    token_url: text('Where tokens are asked for.'),
    client_id: text('The id of the client.'),
    client_id_env: variable('the id'),
    client_id_file: file('the id'),
    client_secret_env: variable('the secret of the client'),
    client_secret_file: file('the secret of the client'),
    scope: text('What is asked for.'),
    audience: text('Whom the token is for.'),
    client_auth: {
      description: 'How the client shows its secret: basic or post.',
      enum: ['basic', 'post'],
      default: 'basic',
    },
  },
};

/** What `runtime` may hold besides when its type is `http`. */
export const httpProperties = {
  method: {
    description: 'http: the method.',
    enum: ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'],
    default: 'GET',
  },
  url: {
    description:
      'http: where the request goes. {payload.<path>} in its path or query is replaced by that value of the request, percent-encoded. mcp: the address of a server that speaks streamable HTTP, in place of command.',
    type: 'string',
    minLength: 1,
    maxLength: 4096,
  },
  hosts: {
    description:
      "http: further hosts (host or host:port) that redirects and pages may lead to; the URL's own is one always.",
    type: 'array',
    items: { type: 'string', minLength: 1 },
    default: [],
  },
  query: parameters(
    'http: parameters of the query. One that is a single placeholder is left out where the request has no value for it.',
  ),
  headers: {
    description:
      'http: headers of the request; a single placeholder without a value leaves its header out. mcp: headers of each request to url; {env.NAME} stands for a variable of env, of env_file or of the node. The values never leave the node; others see the names.',
    type: 'object',
    propertyNames: { pattern: TOKEN },
    additionalProperties: { type: 'string', pattern: '^[^\\u0000\\r\\n]*$' },
    default: {},
  },
  body: {
    description: 'http: the body of the request: json, form, multipart, text or base64.',
    type: ['object', 'null'],
    properties: {
      json: { description: 'Any JSON; a string that is one placeholder becomes the value itself.' },
      form: parameters('Fields, sent as application/x-www-form-urlencoded.'),
      multipart: parameters(
        'Parts, sent as multipart/form-data. A value {"filename", "content_type", "base64" or "text"} is a file.',
      ),
      text: { description: 'Text, sent as it is.', type: 'string' },
      base64: { description: 'Bytes as base64, sent decoded.', type: 'string' },
      content_type: text('The content type, where another than usual is wanted.'),
    },
    default: null,
  },
  auth: {
    description: 'http: how the request is authorized, by secrets that stand in variables or files.',
    ...auth,
    type: ['object', 'array', 'null'],
    items: auth,
    default: null,
  },
  redirects: {
    description: 'http: how many redirects are followed, within the hosts named. 0: none.',
    type: 'integer',
    minimum: 0,
    maximum: 20,
    default: 0,
  },
  retries: {
    description:
      'http: how often a request is tried again that could not be sent, or was put off. Only methods that are idempotent are.',
    type: 'integer',
    minimum: 0,
    maximum: 10,
    default: 2,
  },
  response: {
    description: 'http: body: the result is the body; full: {"status", "headers", "body"}.',
    enum: ['body', 'full'],
    default: 'body',
  },
  result: {
    description: 'http: the part of the answer that is the result: a JSON Pointer, or an object of those.',
    type: ['string', 'object', 'null'],
    pattern: POINTER,
    additionalProperties: { type: ['string', 'object'] },
    default: null,
  },
  pages: {
    description: 'http: how further pages are found; the result is then {"items", "pages", "has_more"}.',
    type: ['object', 'null'],
    required: ['by'],
    properties: {
      by: { enum: ['link', 'cursor', 'url'] },
      next: {
        description: 'JSON Pointer to the cursor, or to the address of the next page.',
        type: 'string',
        pattern: POINTER,
      },
      query: text('cursor: the parameter that takes it.'),
      items: {
        description: 'JSON Pointer to the array of each page; the whole by default.',
        type: 'string',
        pattern: POINTER,
        default: '',
      },
      max: {
        description: 'How many pages are fetched at most.',
        type: 'integer',
        minimum: 1,
        maximum: 1000,
        default: 10,
      },
    },
    default: null,
  },
};
