export { defaultStateDir } from '../disk/index.js';
