import type { NodeFinding } from '../../contracts/node-check.ts';

export function ok(subject: string, detail: string): NodeFinding {
  return { subject, status: 'ok', detail, remedy: '' };
}

export function warning(subject: string, detail: string, remedy: string): NodeFinding {
  return { subject, status: 'warning', detail, remedy };
}

export function problem(subject: string, detail: string, remedy: string): NodeFinding {
  return { subject, status: 'problem', detail, remedy };
}
