/** Answers for the machine the worker runs on. */
export function createHostActivities(deps: { hostTaskQueue: string }) {
  return {
    /** Which machine is this? The rest of the operation runs on its own queue, where its files are. */
    async identifyHost(): Promise<{ taskQueue: string }> {
      return Promise.resolve({ taskQueue: deps.hostTaskQueue });
    },
  };
}

export type HostActivities = ReturnType<typeof createHostActivities>;
