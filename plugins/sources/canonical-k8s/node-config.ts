import type { GeneratedFile, NodeConfigRequest, SourceContext } from '../../../contracts/source-plugin.ts';
export function generateNodeConfig(
  _request: NodeConfigRequest,
  _context: Pick<SourceContext, 'read' | 'warn'>,
): Promise<GeneratedFile[]> {
  return Promise.resolve([]);
}
