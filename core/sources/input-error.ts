import { SealiftError } from '../errors.ts';

/** A place in an input file: lines and columns count from 1, `field` is written `spec.versionsBundles[0].kubeVersion`. */
export interface InputPosition {
  /** path or URL, as the operator gave it */
  file: string;
  line?: number;
  column?: number;
  field?: string;
}

/** `FILE[:LINE[:COLUMN]]`, the form that editors and terminals turn into a link. */
export function positionText(position: InputPosition): string {
  return [position.file, position.line, position.column].filter((part) => part !== undefined).join(':');
}

/** The line and column that `positionText` wrote, where it wrote them. */
export function positionOfText(text: string): Pick<InputPosition, 'line' | 'column'> {
  const [, line, column] = /:(\d+)(?::(\d+))?$/.exec(text) ?? [];
  return {
    ...(line === undefined ? {} : { line: Number(line) }),
    ...(column === undefined ? {} : { column: Number(column) }),
  };
}

/** An InvalidInput for what an input file says at `position`. Returned, not thrown, so that callers keep their control flow visible. */
export function inputError(
  position: InputPosition,
  message: string,
  options: { remedy?: string; cause?: unknown } = {},
): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'source',
    operation: 'read',
    subject: positionText(position),
    message: position.field === undefined ? message : `${position.field}: ${message}`,
    remedy: options.remedy ?? 'put it right in the file, or fetch the file again from where it was published',
    ...(options.cause === undefined ? {} : { cause: options.cause }),
  });
}
