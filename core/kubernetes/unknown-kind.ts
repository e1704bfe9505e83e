import { isErrorType } from '../errors.ts';

/** For `catch` of a list: where the API server does not know a kind there are no objects of it. */
export function noneIfUnknown(error: unknown): never[] {
  if (isErrorType(error, 'KindUnknown')) return [];
  throw error;
}

/** For `catch` of a question about one object: where the API server does not know its kind it is not there. */
export function undefinedIfUnknown(error: unknown): undefined {
  if (isErrorType(error, 'KindUnknown')) return undefined;
  throw error;
}
