import { Command } from 'commander';

/**
 * A command whose arguments are `<name> <program...>`: from the program on all words are the program's, as with docker
 * run and ssh, `-h` too. `--` may stand before them, and need not.
 */
export class ProgramCommand extends Command {
  /** `isProgram`: whether that word begins a program; else options of ours may follow it. */
  constructor(
    name: string,
    private readonly isProgram: (word: string) => boolean = () => true,
  ) {
    super(name);
  }

  override parseOptions(words: string[]) {
    const at = this.programAt(words);
    return super.parseOptions(at === -1 ? words : [...words.slice(0, at), '--', ...words.slice(at)]);
  }

  /** Where the program stands, by what the options before it take; -1 where none does, or `--` says it. */
  private programAt(words: readonly string[]): number {
    let operands = 0;
    for (let at = 0; at < words.length; at += 1) {
      const word = words[at] ?? '';
      if (word === '--') return -1;
      if (word.startsWith('-') && word.length > 1) {
        const option = this.options.find((one) => one.short === word || one.long === word);
        if (option?.required === true) at += 1;
        if (option?.variadic === true)
          while (at + 1 < words.length && words[at + 1]?.startsWith('-') === false) at += 1;
        continue;
      }
      operands += 1;
      if (operands === 2) return this.isProgram(word) ? at : -1;
    }
    return -1;
  }
}
