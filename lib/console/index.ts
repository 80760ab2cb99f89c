/**
 * The web console's built pages, as the control plane serves them: read once from where the build put them, with
 * the headers that keep a page to what came from here. What the pages do is the source in `console/`.
 */
export * from './built-pages.js';
