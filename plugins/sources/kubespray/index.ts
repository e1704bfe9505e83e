import type { SourcePlugin } from '../../../contracts/source-plugin.ts';
import { listKubespray } from './list.ts';
import { nodeConfig } from './node-config.ts';
import { kubesprayOptions } from './options.ts';
import { inputKind, isListOfFiles } from './schema.ts';

/** Kubespray: its lists of images and files, with checksums, OS packages, wheels and charts beside them. */
export const kubespray: SourcePlugin = {
  name: 'kubespray',
  summary: 'Kubespray: its image and file lists or a checkout, with OS packages, wheels and charts',
  selections: [],
  options: kubesprayOptions,
  nodeConfig,
  recognises: (content) => inputKind(content) !== 'lists' || isListOfFiles(content),
  list: (selection, context) => listKubespray(kubespray, selection, context),
};
