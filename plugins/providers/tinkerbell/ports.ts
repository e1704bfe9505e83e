// Where Tinkerbell's services answer, by which machines find them.

/** Boot scripts and images, over HTTP. */
export const BOOT_PORT = 7171;
/** Metadata of machines. */
export const METADATA_PORT = 7172;
/** Workflows, over gRPC: what agents on machines ask for. */
export const WORKFLOW_PORT = 42113;
