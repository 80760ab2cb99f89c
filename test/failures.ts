// What failed in a test file, read from the TAP that it printed: short enough for the end of a long log.

/** Lines of what TAP knows of a failure, or of what a file printed that failed without one. */
const LINES = 15;

interface Failure {
  /** The tests around what failed, and what failed. */
  readonly titles: readonly string[];
  readonly details: readonly string[];
}

interface Ran {
  readonly tap: string;
  /** What it wrote to standard error. */
  readonly errors: string;
  /** Lines of tests that did not run and should have. */
  readonly skipped: readonly string[];
}

/** `name`, and below it each failure; where TAP knows of none, the end of what the file wrote. */
export function describeFailures(name: string, { tap, errors, skipped }: Ran): string {
  const known = [
    ...failuresIn(tap).flatMap(({ titles, details }) => [`  ${titles.join(' › ')}`, ...indented(details)]),
    ...skipped.map((line) => `  ${line.trim()}`),
  ];
  const unknown = [
    '  No test in it says that it failed. What it wrote ends with:',
    ...indented([...lastLines(tap), ...lastLines(errors)]),
  ];
  return [name, ...(known.length > 0 ? known : unknown)].map((line) => `${line}\n`).join('');
}

/** The innermost: a test that failed because of one inside it is named with that one only. */
function failuresIn(tap: string): Failure[] {
  const found: Failure[] = [];
  const around: string[] = [];
  /** How deep the last failure was, until the tests around it have ended too. */
  let below = 0;
  let details: string[] | null = null;
  for (const line of tap.split('\n')) {
    const text = line.trimStart();
    const depth = Math.floor((line.length - text.length) / 4);
    if (details !== null && text === '...') details = null;
    if (details !== null && text !== '---' && details.length < LINES) details.push(line);
    const subtest = /^# Subtest: (.*)/.exec(text);
    if (subtest !== null) around.splice(depth, Infinity, subtest[1] ?? '');
    const failure = /^not ok \d+(?: - )?((?!.* # (?:TODO|SKIP)\b).*?)(?: # time=\S+)?$/i.exec(text);
    if (failure === null) continue;
    details = depth < below ? null : [];
    if (details !== null) found.push({ titles: [...around.slice(0, depth), failure[1] ?? ''], details });
    below = depth;
  }
  return found;
}

function lastLines(output: string): string[] {
  return output
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-LINES);
}

/** Below their titles, with the indentation among themselves kept. */
function indented(lines: readonly string[]): string[] {
  const first = /^ */.exec(lines[0] ?? '')?.[0].length ?? 0;
  return lines.map((line) => `    ${line.slice(Math.min(first, line.length - line.trimStart().length))}`);
}
