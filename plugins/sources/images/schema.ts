/** The input is one reference a line; other sources take such lists too. */
export { listedReferences } from '../../../core/sources/image-list.ts';
