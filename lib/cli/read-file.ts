export { READ, WRITE, openFile, readFrom, readText } from '../worldfs/index.js';
