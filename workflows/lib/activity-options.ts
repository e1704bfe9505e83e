import { ActivityCancellationType, type ActivityOptions, type RetryPolicy } from '@temporalio/workflow';

/**
 * An activity tries again within itself as long as bytes move; what still fails comes back here, a few times with
 * growing pauses (about a minute in all), and is parked then.
 */
const retry: RetryPolicy = {
  initialInterval: '1 second',
  backoffCoefficient: 2,
  maximumInterval: '60 seconds',
  maximumAttempts: 7,
};

/** Heartbeats are sent every few seconds; a worker that is silent for this long is taken for dead. */
const heartbeatTimeout = '30 seconds';

/** Quick questions to one machine. */
export const quick: ActivityOptions = { startToCloseTimeout: '1 hour', heartbeatTimeout, retry };

/** Moving or hashing content: hours on a slow link are normal, silence is not. */
export const long: ActivityOptions = {
  startToCloseTimeout: '7 days',
  heartbeatTimeout,
  retry,
  // What is told to stop still writes for a moment: nothing may be removed, or begun again, before it has ended.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** What helps whoever looks into a failure, and may not hold it up: once more after a worker that died, and not for long. */
export const brief: ActivityOptions = {
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '4 minutes',
  heartbeatTimeout,
  retry: { ...retry, maximumAttempts: 2 },
};
