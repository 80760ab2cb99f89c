import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A command as a shell completes it. */
export interface CommandShape {
  /** `token create`; empty for the program itself. */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly options: readonly OptionShape[];
  /** What its first argument may be; files where that is empty. */
  readonly choices: readonly string[];
}

interface Word {
  readonly name: string;
  readonly about: string;
}

interface OptionShape extends Word {
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

/** All commands below `program`, itself first. */
export function commandShapes(program: Command, path = ''): CommandShape[] {
  const options = program.options
    .filter((option) => !option.hidden)
    .flatMap(({ long, description, required, optional, argChoices }) =>
      long === undefined
        ? []
        : {
            name: long,
            about: firstLine(description),
            takesValue: required || optional,
            choices: argChoices ?? [],
          },
    );
  const help = { name: '--help', about: 'how it is called', takesValue: false, choices: [] };
  const own: CommandShape = {
    path,
    commands: program.commands.map((sub) => ({
      name: sub.name(),
      about: firstLine(sub.summary() || sub.description()),
    })),
    options: [...options, help],
    choices: program.registeredArguments[0]?.argChoices ?? [],
  };
  const below = program.commands.flatMap((sub) => commandShapes(sub, `${path} ${sub.name()}`.trim()));
  return [own, ...below];
}

const firstLine = (text: string): string => text.replace(/\n.*/s, '').replaceAll(/['"`$\\]/g, '');

export function scriptFor(shell: Shell, shapes: readonly CommandShape[]): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](shapes);
}

/** Sets `typed` to the commands typed so far, for bash and zsh: `words` and `at` are the line. */
const FIND_PATH = `  local typed='' word i
  for ((i = first + 1; i < at; i++)); do
    word="\${words[i]}"
    case " $known " in *"|\${typed:+$typed }$word|"*) typed="\${typed:+$typed }$word" ;; esac
  done`;

function pathList(shapes: readonly CommandShape[]): string {
  return shapes.map(({ path }) => `|${path}|`).join(' ');
}

/** Branches by the option before, then by the command: what may come now, as words. */
function wordCases(shapes: readonly CommandShape[]): string {
  const byOption = shapes.flatMap(({ path, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map(({ name, choices }) => `    '${path}:${name}') reply='${choices.join(' ')}'; value=1 ;;`),
  );
  const byPath = shapes.map(({ path, commands, options, choices }) => {
    const words = [...commands.map(({ name }) => name), ...choices].join(' ');
    return `    '${path}') reply='${words}'; flags='${options.map(({ name }) => name).join(' ')}' ;;`;
  });
  return `  case "$typed:$previous" in
${byOption.join('\n')}
  esac
  [ -n "$value" ] || case "$typed" in
${byPath.join('\n')}
  esac`;
}

function bashScript(shapes: readonly CommandShape[]): string {
  return `# bash completion for acheron, made by \`acheron completion bash\`
_acheron() {
  local -a words=("\${COMP_WORDS[@]}")
  local at=$COMP_CWORD first=0 current="\${COMP_WORDS[COMP_CWORD]}"
  local previous="\${COMP_WORDS[COMP_CWORD-1]}" reply='' flags='' value=''
  local known='${pathList(shapes)}'
${FIND_PATH}
${wordCases(shapes)}
  case "$current" in -*) [ -n "$value" ] || reply="$flags" ;; esac
  COMPREPLY=($(compgen -W "$reply" -- "$current"))
  [ -n "$reply" ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _acheron acheron`;
}

function zshScript(shapes: readonly CommandShape[]): string {
  return `#compdef acheron
# zsh completion for acheron, made by \`acheron completion zsh\`
_acheron() {
  local at=$CURRENT first=1 current="\${words[CURRENT]}" previous="\${words[CURRENT-1]}" reply='' flags='' value=''
  local known='${pathList(shapes)}'
${FIND_PATH}
${wordCases(shapes)}
  case "$current" in -*) [ -n "$value" ] || reply="$flags" ;; esac
  if [ -n "$reply" ]; then compadd -- \${=reply}; else _files; fi
}
if [ "$funcstack[1]" = _acheron ]; then _acheron "$@"; else compdef _acheron acheron; fi`;
}

function fishScript(shapes: readonly CommandShape[]): string {
  const lines = shapes.flatMap(({ path, commands, options, choices }) => {
    const when = `-n '__acheron_at "${path}"'`;
    return [
      ...commands.map(({ name, about }) => `complete -c acheron -f ${when} -a '${name}' -d '${about}'`),
      ...choices.map((choice) => `complete -c acheron -f ${when} -a '${choice}'`),
      ...options.map(({ name, about, takesValue, choices: values }) => {
        const value = takesValue ? (values.length > 0 ? ` -x -a '${values.join(' ')}'` : ' -r') : '';
        return `complete -c acheron ${when} -l '${name.slice(2)}'${value} -d '${about}'`;
      }),
    ];
  });
  const paths = shapes.map(({ path }) => `'${path}'`).join(' ');
  return `# fish completion for acheron, made by \`acheron completion fish\`
function __acheron_at
    set -l known ${paths}
    set -l at ''
    for word in (commandline -opc)[2..]
        set -l next (string trim -- "$at $word")
        contains -- "$next" $known; and set at "$next"
    end
    test "$at" = "$argv[1]"
end
${lines.join('\n')}`;
}
