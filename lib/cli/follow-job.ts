export { followStream, type ShownProgress } from '../worldfs/index.js';
