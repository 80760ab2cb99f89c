export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What each script has in its first lines, by which a file is known as ours. */
export const MARK = 'made by `acheron completion';

/**
 * A script that asks `acheron __complete -- WORD…` what may stand at the cursor (`complete.ts`), and offers it as its shell does.
 * What ends in `=`, `[`, `/` or `@` goes on without a space.
 */
export function scriptFor(shell: Shell): string {
  return SCRIPTS[shell];
}

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash completion for acheron, ${MARK} bash\`
_acheron() {
  local IFS=$' \\t\\n' rest=\${COMP_LINE:0:COMP_POINT} words=() count=0 word stripped i
  # What readline has split at = and : is put together again, up to the cursor.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    stripped=\${rest#"\${rest%%[![:space:]]*}"}
    word=\${COMP_WORDS[i]}
    ((i < COMP_CWORD)) || word=$stripped
    if ((i == 0)) || [[ $stripped != "$rest" ]]; then words[count++]=$word; else words[count - 1]+=$word; fi
    rest=\${stripped#"$word"}
  done
  local current=\${words[count - 1]}
  # Of the word at the cursor readline replaces what stands after the last of its breaks.
  local head=\${current%"\${current##*[$COMP_WORDBREAKS]}"}
  local skip=\${head//[\\"\\'\\\\]/} kind='' value
  words=("\${words[@]//[\\"\\'\\\\]/}")
  COMPREPLY=()
  {
    IFS= read -r kind
    while IFS=$'\\t' read -r value _; do
      value=\${value:\${#skip}}
      [[ $current == *[\\"\\']* ]] || printf -v value %q "$value"
      COMPREPLY+=("$value")
    done
  } < <(command acheron __complete -- "\${words[@]:1}" 2>/dev/null </dev/null)
  case $kind in
    files) compopt -o filenames 2>/dev/null; IFS=$'\\n'; COMPREPLY=($(compgen -f -- "\${current:\${#head}}")) ;;
    dirs) compopt -o filenames 2>/dev/null; IFS=$'\\n'; COMPREPLY=($(compgen -d -- "\${current:\${#head}}")) ;;
    *) [[ \${#COMPREPLY[@]} -ne 1 || \${COMPREPLY[0]} != *[=/@[] ]] || compopt -o nospace 2>/dev/null ;;
  esac
}
complete -F _acheron acheron`,

  zsh: `#compdef acheron
# zsh completion for acheron, ${MARK} zsh\`
_acheron() {
  local kind value about
  local -a ended open
  {
    IFS= read -r kind
    while IFS=$'\\t' read -r value about; do
      about=\${about:+:$about}
      case $value in
        *[=/@[]) open+=("\${value//:/\\\\:}$about") ;;
        *) ended+=("\${value//:/\\\\:}$about") ;;
      esac
    done
  } < <(command acheron __complete -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null </dev/null)
  case $kind in
    files|dirs)
      compset -P '--*='
      if [[ $kind = dirs ]]; then _files -/; else _files; fi ;;
    *)
      local failed=1
      (( $#ended )) && _describe -V value ended && failed=0
      (( $#open )) && _describe -V 'value' open -S '' && failed=0
      return failed ;;
  esac
}
if [ "$funcstack[1]" = _acheron ]; then _acheron "$@"; else compdef _acheron acheron; fi`,

  fish: `# fish completion for acheron, ${MARK} fish\`
function __acheron_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct | string unescape)
    set -l lines (command acheron __complete -- $typed[2..] "$current" 2>/dev/null </dev/null)
    set -l head (string match -r -- '^--[^=]+=' "$current")
    set -l rest (string sub -s (math 1 + (string length -- "$head")) -- "$current")
    switch "$lines[1]"
        case files
            printf "$head%s\\n" (__fish_complete_path "$rest")
        case dirs
            printf "$head%s\\n" (__fish_complete_directories "$rest")
        case '*'
            printf '%s\\n' $lines[2..]
    end
end
complete -c acheron -e
complete -c acheron -f -a '(__acheron_complete)'`,
};
