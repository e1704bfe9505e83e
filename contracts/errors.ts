/**
 * The names by which errors cross Temporal (ApplicationFailure.type), what may be done about each, and the exit code
 * the CLI ends with. docs/errors.md is checked against this table.
 *
 * - transient: tried again by itself, with backoff; parks when the tries are used up
 * - mendable: a person can put it right; the operation parks and waits for retry, skip or abort
 * - permanent: can never work with this input; the operation fails at once
 */
export type Disposition = 'transient' | 'mendable' | 'permanent';

export interface ErrorKind {
  disposition: Disposition;
  /** process exit code: 1 failed, 2 usage, 3 configuration or credentials, 4 integrity, 5 partial or parked, 6 Temporal unreachable */
  exitCode: number;
  meaning: string;
}

export const errorKinds = {
  ConnectionFailed: {
    disposition: 'transient',
    exitCode: 1,
    meaning: 'the host could not be reached, or it dropped the connection',
  },
  Stalled: { disposition: 'transient', exitCode: 1, meaning: 'no byte arrived for the stall timeout' },
  RegistryUnavailable: { disposition: 'transient', exitCode: 1, meaning: 'the registry or file server answered 5xx' },
  RegistryThrottled: {
    disposition: 'transient',
    exitCode: 1,
    meaning: 'the registry answered 429; its Retry-After is honoured',
  },
  BodyTruncated: { disposition: 'transient', exitCode: 1, meaning: 'the body ended before the announced size' },
  UploadSessionLost: {
    disposition: 'transient',
    exitCode: 1,
    meaning: 'the registry forgot an upload session; a new one is started',
  },
  ClusterUnreachable: {
    disposition: 'transient',
    exitCode: 1,
    meaning: 'a Kubernetes API server cannot be reached, or it, or a webhook that it asks, does not answer',
  },
  ObjectConflict: {
    disposition: 'transient',
    exitCode: 1,
    meaning: 'a Kubernetes object, or the namespace that it is in, is being changed by somebody else (409)',
  },
  GitUnreachable: { disposition: 'transient', exitCode: 1, meaning: 'the git repository cannot be reached' },

  RegistryUnauthorized: {
    disposition: 'mendable',
    exitCode: 3,
    meaning: 'the registry did not accept the credentials, or none were found (401)',
  },
  RegistryForbidden: {
    disposition: 'mendable',
    exitCode: 3,
    meaning: 'the credentials are good but do not allow this (403)',
  },
  RepositoryMissing: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'the project or repository must be created first',
  },
  ManifestMissing: { disposition: 'mendable', exitCode: 5, meaning: 'the registry has no such tag or manifest (404)' },
  BlobMissing: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'a manifest names a blob that its registry does not have (404)',
  },
  FileMissing: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'the file server has no such file (404), or a local file is absent',
  },
  RequestRefused: { disposition: 'mendable', exitCode: 5, meaning: 'the server refused the request with another 4xx' },
  TagMoved: { disposition: 'mendable', exitCode: 4, meaning: 'a tag points to another digest than the source states' },
  TagConflict: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'the destination tag is immutable and points to another digest',
  },
  CertificateUntrusted: {
    disposition: 'mendable',
    exitCode: 3,
    meaning: 'the TLS certificate is not trusted, or not valid now',
  },
  DiskFull: { disposition: 'mendable', exitCode: 5, meaning: 'not enough room on the disk' },
  PathUnwritable: { disposition: 'mendable', exitCode: 5, meaning: 'a file or folder cannot be written' },
  ToolMissing: {
    disposition: 'mendable',
    exitCode: 3,
    meaning: 'a program that this input needs is not on the machine where the worker runs',
  },
  ToolFailed: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'a program that was run for a source ended with an error',
  },

  ValidationFailed: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'a validation found what would make the operation fail; each finding is listed',
  },
  MoveIncomplete: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'clusters were moved to another management cluster, and not all of their objects are there',
  },
  ContentMissing: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'the bundle or registry lacks something that a cluster needs',
  },
  ClusterForbidden: {
    disposition: 'mendable',
    exitCode: 3,
    meaning: 'a Kubernetes API server does not accept the credentials (401), or they do not allow this (403)',
  },
  ObjectInvalid: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'a Kubernetes API server, or a webhook that it asks, refuses an object',
  },
  KindUnknown: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'a Kubernetes API server has no such kind of object; the CustomResourceDefinition is not there',
  },
  ClusterNotReady: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'what was waited for in a cluster did not come about in its time; what is not met is named',
  },
  GitForbidden: {
    disposition: 'mendable',
    exitCode: 3,
    meaning:
      'the git repository does not accept the credentials or has an unknown host key, or no credentials were found',
  },
  GitRefused: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'the git repository refuses what is pushed, or git failed',
  },
  GitConflict: {
    disposition: 'mendable',
    exitCode: 5,
    meaning: 'somebody else changed the same files of the git repository at the same moment',
  },

  DigestMismatch: {
    disposition: 'permanent',
    exitCode: 4,
    meaning: 'the bytes do not have the digest they were asked for by',
  },
  SizeMismatch: {
    disposition: 'permanent',
    exitCode: 4,
    meaning: 'there are more or fewer bytes than the descriptor says',
  },
  BundleCorrupt: {
    disposition: 'permanent',
    exitCode: 4,
    meaning: 'the bundle is truncated, altered, or not a Sealift bundle',
  },
  BundleUnsafe: { disposition: 'permanent', exitCode: 4, meaning: 'the tar holds an entry that no bundle may hold' },
  ManifestInvalid: {
    disposition: 'permanent',
    exitCode: 4,
    meaning: 'an image manifest or index breaks the OCI specification',
  },
  InvalidInput: {
    disposition: 'permanent',
    exitCode: 2,
    meaning: 'an input file or option is wrong; file, line and field are named',
  },
  OutputExists: {
    disposition: 'permanent',
    exitCode: 2,
    meaning: 'the output file is there already; choose another or use --force',
  },
  OperationConflict: {
    disposition: 'permanent',
    exitCode: 2,
    meaning: 'another operation already works on the same output or registry',
  },
  OperationNotFound: { disposition: 'permanent', exitCode: 2, meaning: 'no operation has this id' },
  OperationAborted: { disposition: 'permanent', exitCode: 5, meaning: 'the operator gave up a parked operation' },
  TemporalUnreachable: {
    disposition: 'mendable',
    exitCode: 6,
    meaning: 'the Temporal server cannot be reached or started',
  },
  InternalError: { disposition: 'permanent', exitCode: 1, meaning: 'a defect in Sealift' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorType = keyof typeof errorKinds;

/** Where the trouble is: what we read from, what we write to, a cluster we act on, this machine, or Sealift's own Temporal. */
export type Side = 'source' | 'destination' | 'cluster' | 'local' | 'temporal';

/** What an error says, as plain data: it crosses Temporal as ApplicationFailure details and is shown by `sealift describe`. */
export interface Problem {
  type: ErrorType;
  side: Side;
  /** what was being done, e.g. `fetch manifest` */
  operation: string;
  /** what it was done to: a reference, digest, path or URL; never holds credentials */
  subject: string;
  /** what happened, one sentence */
  message: string;
  /** what the operator can do, one sentence; empty when nothing can be done */
  remedy: string;
  /** absolute path of the archive with what clusters said when it happened, on the worker's machine */
  diagnostics?: string;
}

/** The one form in which a problem is written for a person. */
export function problemText(problem: Problem): string {
  const text = `${problem.side}: ${problem.operation} ${problem.subject}: ${problem.message}`;
  return problem.remedy === '' ? text : `${text}\n  remedy: ${problem.remedy}`;
}
