/** How a mover thread reaches an HTTP server, with everything that takes thinking done before: plain data, to be posted. */
export interface HttpTarget {
  url: string;
  headers: Record<string, string>;
  /** PEM; added to the system's authorities */
  ca?: string;
  insecureSkipTlsVerify?: boolean;
  /** proxy URL, when one applies to this host */
  proxy?: string;
}

/** Where a blob lies in a file. */
export interface FileSpan {
  path: string;
  /** byte offset of the blob in the file */
  offset: number;
}
