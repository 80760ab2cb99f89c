import t from 'tap';
import { shellSuite } from '../suites/shell-suite.js';

shellSuite(t, 'kernel');
