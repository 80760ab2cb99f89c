import type { Argument, Command, Option } from 'commander';

/** A command line up to the cursor, as far as it can be understood. */
export interface TypedLine {
  readonly command: Command;
  /** Names of the command and of those above it, without the program. */
  readonly path: readonly string[];
  /** The options that were given, with their values. */
  readonly options: readonly string[];
  readonly given: ReadonlySet<Option>;
  readonly operands: readonly string[];
  /** The option whose value stands at the cursor. */
  readonly pending: Option | undefined;
  /** Whether options have ended: `--` was typed. */
  readonly isPlain: boolean;
}

/** Reads what stands before the cursor; what is wrong with it does not matter here. */
export function typedLine(program: Command, words: readonly string[]): TypedLine {
  let command = program;
  let pending: Option | undefined;
  let isPlain = false;
  const path: string[] = [];
  const options: string[] = [];
  const given = new Set<Option>();
  const operands: string[] = [];
  for (const word of words) {
    const isOption = !isPlain && /^-./.test(word);
    if (pending !== undefined && !(pending.variadic && isOption)) {
      options.push(word);
      if (!pending.variadic) pending = undefined;
      continue;
    }
    pending = undefined;
    if (!isPlain && word === '--') isPlain = true;
    else if (isOption) {
      const [name = ''] = word.split('=');
      const option = command.options.find(({ long, short }) => name === long || name === short);
      if (option === undefined) continue;
      options.push(word);
      given.add(option);
      if (option.required && !word.includes('=')) pending = option;
    } else {
      const below = isPlain || operands.length > 0 ? undefined : commandNamed(command, word);
      if (below === undefined) operands.push(word);
      else {
        command = below;
        path.push(word);
      }
    }
  }
  // The value of that one is what is asked for.
  if (pending !== undefined && options.at(-1)?.startsWith('-') === true) options.pop();
  return { command, path, options, given, operands, pending, isPlain };
}

/** The argument of which the next word is a value. */
export function nextArgument({ command, operands }: TypedLine): Argument | undefined {
  const all = command.registeredArguments;
  const last = all.at(-1);
  return all[operands.length] ?? (last?.variadic === true ? last : undefined);
}

function commandNamed(above: Command, name: string): Command | undefined {
  return above.commands.find((one) => one.name() === name || one.aliases().includes(name));
}
