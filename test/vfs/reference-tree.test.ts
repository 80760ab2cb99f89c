import t from 'tap';
import { vfsSuite, supportsAll } from '../suites/vfs-suite.js';
import { directAccess } from '../support/direct-access.js';
import { createReferenceTree } from '../support/reference-tree.js';

vfsSuite(t, 'a tree, called directly', () => directAccess(createReferenceTree()), supportsAll);
