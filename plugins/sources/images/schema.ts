/** The input is one reference a line; other sources take such lists too. */
export { listedReferences, type ListedReference } from '../../../core/sources/image-list.ts';
