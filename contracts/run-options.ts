/** How a host is reached. No credentials: those are resolved from the environment of the worker that needs them. */
export interface RegistryOptions {
  plainHttp: boolean;
  insecureSkipTlsVerify: boolean;
  /** absolute path of a PEM file with additional certificate authorities, on the worker's machine */
  caFile?: string;
}

/** What the workflow does when everything else is done and some items still fail. */
export type OnFailure = 'park' | 'fail';
