/** Bytes that can be read anywhere: a file, or a URL whose server does ranges. */
export interface RandomAccess {
  /** absolute path or URL, for messages */
  readonly location: string;
  /** bytes */
  readonly size: number;
  /** Exactly `length` bytes from `offset`; the caller stays within `size`. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}
