export { READ, READ_WRITE, WRITE, openFile, readFrom, readText, targetOf } from '../worldfs/index.js';
