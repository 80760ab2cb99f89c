/**
 * The command line: options, output, exit statuses. It composes what other rooms build and decides
 * nothing else; what a command does beyond parsing and printing belongs to a room of its own.
 */
export { main, wholeProgram } from './main.js';
