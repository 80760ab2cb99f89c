export { socketPath, stateFileIn } from '../disk/index.js';
