import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** The house (see lib/vfs/index.ts and its neighbours): what each room may import. Held by a test as well. */
export const ROOMS = {
  linux: [],
  core: ['linux'],
  console: ['core'],
  systemd: ['core'],
  disk: ['core', 'linux'],
  policy: ['core'],
  vfs: ['core', 'linux', 'policy'],
  protocol: ['core', 'linux'],
  manifest: ['core', 'policy'],
  openapi: ['core', 'manifest'],
  drivers: ['core', 'linux', 'disk', 'policy', 'manifest'],
  registry: ['core', 'linux', 'manifest', 'drivers'],
  supervise: ['core', 'manifest', 'drivers'],
  transport: ['core', 'protocol'],
  services: ['core', 'linux', 'disk', 'vfs', 'manifest', 'registry', 'drivers', 'supervise', 'policy'],
  providers: ['core', 'linux', 'vfs', 'manifest', 'drivers', 'policy'],
  fuse: ['core', 'linux', 'vfs', 'policy'],
  telemetry: ['core', 'vfs'],
  cluster: ['core'],
  control: ['core', 'cluster', 'linux', 'disk', 'policy', 'protocol', 'manifest', 'transport', 'vfs'],
  tunnel: ['core', 'linux', 'policy', 'protocol', 'transport', 'vfs'],
  worldfs: ['core', 'vfs', 'policy'],
  node: [
    ...['core', 'disk', 'policy', 'vfs', 'manifest', 'drivers', 'transport', 'registry'],
    ...['services', 'providers', 'control', 'tunnel'],
  ],
  planefs: [
    ...['core', 'policy', 'vfs', 'manifest', 'protocol', 'transport'],
    ...['services', 'control', 'tunnel', 'worldfs'],
  ],
  doctor: ['core', 'linux', 'disk', 'vfs', 'policy', 'fuse'],
  compose: [
    ...['core', 'disk', 'policy', 'protocol', 'vfs', 'manifest', 'drivers', 'transport', 'registry'],
    ...['services', 'providers', 'control', 'tunnel', 'worldfs', 'node', 'planefs', 'console', 'mcp-server'],
    'telemetry',
  ],
  'mcp-server': ['core', 'vfs', 'worldfs'],
  client: ['core', 'disk', 'policy', 'vfs', 'transport', 'tunnel', 'worldfs', 'compose'],
  api: ['core', 'disk', 'policy', 'vfs', 'fuse', 'worldfs', 'node', 'compose', 'client'],
  cli: [
    ...['core', 'linux', 'disk', 'policy', 'protocol', 'vfs', 'manifest', 'drivers', 'transport', 'registry'],
    ...[
      'openapi',
      'services',
      'control',
      'tunnel',
      'fuse',
      'worldfs',
      'node',
      'doctor',
      'compose',
      'mcp-server',
    ],
    ...['systemd', 'cluster'],
    // What programs do with a tree, and what those are told who answer for machines.
    ...['client', 'telemetry'],
  ],
};

const rooms = Object.entries(ROOMS).map(([room, allowed]) => ({
  files: [`lib/${room}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: `^(\\.\\./)+(?!(${['\\.\\.', ...allowed].join('|')})/)(${Object.keys(ROOMS).join('|')})(/client)?/index\\.js$`,
            message: `lib/${room} may import only ${allowed.join(', ') || 'nothing'}.`,
          },
        ],
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'mnt', '.tap', 'bench/build'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "ImportDeclaration[source.value='zod'] > :not(ImportNamespaceSpecifier)[type=/^Import/]",
          message:
            "Write `import * as z from 'zod'`: with that the bundle keeps what is used, not every language.",
        },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // `Awaitable<void>` is a value or a promise of none: many methods answer with one or the other.
      '@typescript-eslint/no-invalid-void-type': 'off',
      // An interface that answers with a promise has implementations with nothing to wait for; `async` makes what they throw a rejection.
      '@typescript-eslint/require-await': 'off',
      // A parameter used once still says what the caller gets: `json<Report>(text)`.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // The compiler refuses the sums that are mistakes; a number and a text are joined on purpose.
      '@typescript-eslint/restrict-plus-operands': 'off',
      // What was caught is thrown on as it came, whatever it is.
      '@typescript-eslint/only-throw-error': 'off',
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // What is not there although a test expects it is a failure of that test, with its line.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // tap waits for the subtests that a test starts.
      '@typescript-eslint/no-floating-promises': 'off',
      // What a peer or a file says is looked at as it is, whatever its type promises.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // Parsed JSON is compared as a whole, by `t.match`.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  ...rooms,
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        setInterval: 'readonly',
        setTimeout: 'readonly',
      },
    },
  },
);
