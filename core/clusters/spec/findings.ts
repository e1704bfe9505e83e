import type { Finding } from '../../../contracts/clusters.ts';

export type FindingPath = readonly (string | number)[];

/** Makes the findings about one subject; `id`s get a common prefix. */
export interface Finder {
  problem(id: string, path: FindingPath, message: string, remedy: string): void;
  warning(id: string, path: FindingPath, message: string, remedy?: string): void;
}

/** @param subject kind and name of a document, as `Cluster test`: by it positions are found later */
export function finder(findings: Finding[], subject: string, prefix: string): Finder {
  function add(status: Finding['status'], id: string, path: FindingPath, message: string, remedy: string): void {
    findings.push({ id: `${prefix}.${id}`, status, subject, message, remedy, path });
  }
  return {
    problem: (id, path, message, remedy) => add('problem', id, path, message, remedy),
    warning: (id, path, message, remedy = '') => add('warning', id, path, message, remedy),
  };
}

/** How findings name a document: kind and name. */
export function subjectOf(document: { kind: string; metadata: { name: string } }): string {
  return `${document.kind} ${document.metadata.name}`;
}

export function isProblem(finding: Finding): boolean {
  return finding.status === 'problem';
}

/** What would make an operation fail, found outside the documents. */
export function problem(id: string, subject: string, said: Pick<Finding, 'message' | 'remedy' | 'side'>): Finding {
  return { id, status: 'problem', subject, ...said };
}
