import { Context } from '@temporalio/activity';
import { Limiter } from '../../core/transfer/concurrency.ts';

const limiters = new Map<string, Limiter>();

/** The limiter that all activities of the running operation share on this machine, as wide as its --concurrency. */
export function operationLimiter(concurrency: number): Limiter {
  const { workflowExecution } = Context.current().info;
  const key = `${workflowExecution?.runId ?? ''} ${concurrency}`;
  const limiter = limiters.get(key) ?? new Limiter(concurrency);
  limiters.set(key, limiter);
  return limiter;
}
