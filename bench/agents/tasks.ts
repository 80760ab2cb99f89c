/** Something an agent is asked to do with the services of a node. */
export interface Task {
  readonly name: string;
  /** As a person says it; a model gets this and nothing else. */
  readonly ask: string;
  /** By what the scripted agent looks for a service, in this order. */
  readonly words: readonly string[];
  /** What it sends at first; another than `request` where it is to be wrong. */
  readonly guess?: object;
  readonly request: object;
  /** It takes longer than an agent waits for a call. */
  readonly isLong?: boolean;
  /** What the answer must say. */
  readonly expect: RegExp;
}

/** What an agent answers that finds nothing for its task. */
export const NOT_AVAILABLE = 'NOT AVAILABLE';

const TABLE = 'city,people\nOslo,10\nBergen,30\n';

export const TASKS: readonly Task[] = [
  { name: 'words', ask: 'How many words has the text "a b c d"?', words: ['counts'], request: { text: 'a b c d' }, expect: /\b4\b/ },
  { name: 'longest line', ask: 'How many characters has the longest line of the text "ab\\nabcdefg"?', words: ['longest line'], request: { text: 'ab\nabcdefg' }, expect: /\b7\b/ },
  { name: 'bytes', ask: 'How many bytes has the text "æøå"?', words: ['bytes'], request: { text: 'æøå' }, expect: /\b6\b/ },
  { name: 'mean of a column', ask: `What is the mean of people in this CSV table? ${JSON.stringify(TABLE)}`, words: ['table'], request: { csv: TABLE }, expect: /\b20\b/ },
  { name: 'semicolons', ask: 'What is the mean of b in this table with semicolons? "a;b\\n1;4\\n2;6\\n"', words: ['table'], request: { csv: 'a;b\n1;4\n2;6\n', delimiter: ';' }, expect: /\b5\b/ },
  { name: 'difference', ask: 'What JSON Patch turns {"a":1} into {"a":1,"b":2}?', words: ['JSON Patch', 'compare'], request: { from: { a: 1 }, to: { a: 1, b: 2 } }, expect: /\/b/ },
  { name: 'equal', ask: 'Are {"a":[1,2]} and {"a":[1,2]} equal, by the service for it?', words: ['compares'], request: { from: { a: [1, 2] }, to: { a: [1, 2] } }, expect: /true|equal/ },
  { name: 'day of the week', ask: 'On what day of the week is the day after 2030-01-31?', words: ['time'], request: { when: '2030-01-31 + 1 day', format: '+%A' }, expect: /Friday/ },
  { name: 'epoch', ask: 'In which year is the Unix time 1700000000?', words: ['time'], request: { when: '@1700000000', format: '+%Y' }, expect: /2023/ },
  { name: 'another zone', ask: 'What time (as HH:MM) is it in Tokyo when it is 2030-01-01 00:00 in UTC?', words: ['time'], request: { when: 'TZ="Asia/Tokyo" 2030-01-01 09:00', format: '+%H:%M' }, expect: /\d\d:\d\d/ },
  { name: 'echo', ask: 'Send {"message":"hello"} to the service that returns what it was given.', words: ['returns what it was given'], request: { message: 'hello' }, expect: /hello/ },
  { name: 'lock', ask: 'Take the lock named "bench" for a minute, and tell its token.', words: ['lock'], request: { acquire: 'bench', ttl_seconds: 60 }, expect: /token|[0-9a-f-]{8,}/ },
  { name: 'locks', ask: 'Which locks are there now?', words: ['lock'], request: { list: true }, expect: /bench|locks/ },
  { name: 'processor', ask: 'How many processors has the machine of the node?', words: ['machine is'], request: { facts: ['cpu'] }, expect: /\d/ },
  { name: 'system', ask: 'What operating system has the machine of the node?', words: ['machine is'], request: { facts: ['os'] }, expect: /linux/i },
  { name: 'a long job', ask: 'Start the timer for 6 seconds with the message "Tea." and answer with what it returns.', words: ['timer'], request: { seconds: 6, message: 'Tea.' }, isLong: true, expect: /Tea\./ },
  { name: 'repair: a wrong member', ask: `How many rows has this CSV table? ${JSON.stringify(TABLE)}`, words: ['table'], guess: { text: TABLE }, request: { csv: TABLE }, expect: /\b2\b/ },
  { name: 'repair: a member is missing', ask: 'What is the date (as YYYY-MM-DD) 6 weeks after 2030-01-01?', words: ['time'], guess: { when: '2030-01-01 + 6 weeks' }, request: { when: '2030-01-01 + 6 weeks', format: '+%F' }, expect: /2030-02-12/ },
  { name: 'no right', ask: `What does Ann earn? If no service can tell you, answer ${NOT_AVAILABLE}.`, words: ['salaries', 'payroll'], request: { name: 'Ann' }, expect: /NOT AVAILABLE/ },
  { name: 'a failure', ask: 'Ask the weather service for Oslo; if it fails, answer with the errno of its failure.', words: ['weather'], request: { city: 'Oslo' }, expect: /EIO/ },
]; // prettier-ignore

/** Services beside those that are bundled: one that is not for users, and one that fails. */
export const MORE_SERVICES: readonly object[] = [
  {
    service_id: 'payroll',
    kind: 'records',
    help_md: '# payroll\n\nTells salaries.',
    runtime: { type: 'native_proc', executable_path: 'cat' },
    permissions: { allow_roles: ['admin'] },
  },
  {
    service_id: 'weather',
    kind: 'records',
    help_md: '# weather\n\nTells the weather of a city.',
    invoke_template: { city: 'Oslo' },
    schema: { input: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
    runtime: { type: 'native_proc', executable_path: 'sh', args: ['-c', 'echo "no connection" >&2; exit 7'] },
    permissions: { allow_roles: ['admin', 'user'] },
  },
];
