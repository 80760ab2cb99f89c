export { followProgress, followStream, jobWhenThere, type ShownProgress } from '../worldfs/index.js';
