import type { SourceContext } from '../../contracts/source-plugin.ts';
import { SealiftError } from '../../core/errors.ts';

/** A SourceContext over a table of locations, which also remembers what a plugin did with it. */
export interface MemoryContext extends SourceContext {
  reads: string[];
  warnings: string[];
}

/** The locations exist nowhere but here, so a plugin that reads around its context fails. */
export function memoryContext(documents: Record<string, string | Uint8Array>): MemoryContext {
  const reads: string[] = [];
  const warnings: string[] = [];
  async function read(location: string): Promise<Uint8Array> {
    reads.push(location);
    const content = documents[location];
    if (content !== undefined) return typeof content === 'string' ? new TextEncoder().encode(content) : content;
    throw new SealiftError('FileMissing', {
      side: 'source',
      operation: 'read',
      subject: location,
      message: 'there is no such document in this test',
    });
  }
  return { reads, warnings, read, warn: (message) => warnings.push(message) };
}
