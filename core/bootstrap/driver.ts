/** How the cluster is made that makes the first one. Every method may be called again at any time. */
export interface BootstrapDriver {
  /** Makes it, or finds it. @returns its kubeconfig */
  ensure(): Promise<string>;
  /** Whether there is something to end, and so to find. Starts nothing. */
  exists(): Promise<boolean>;
  /** Runs the controllers whose Deployments are on it, where it has no nodes to do so. */
  runProviders?(): Promise<void>;
  /**
   * Starts again what has ended of it, controllers included; a cheap look when nothing has, or when there is nothing.
   * @returns its kubeconfig when something was mended
   */
  attend?(): Promise<string | undefined>;
  /** Ends it, with everything of it; what is not Sealift's own stays. */
  remove(): Promise<void>;
}
