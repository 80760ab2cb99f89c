/**
 * From the description of an HTTP API (OpenAPI 3.0 and 3.1) to manifests: a service for each operation, with the schema
 * of its request, what authorizes it, and an example. Descriptions are of others: whatever is malformed in one is left out
 * and said, and nothing outside of it is read but files of its own folder.
 */
export { readOpenapi } from './read-openapi.js';
export { importOpenapi, type ImportedOperation, type ImportOptions } from './import-openapi.js';
