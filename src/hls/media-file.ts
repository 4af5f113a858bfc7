/** An init, a segment or a part, ready to be sent. Immutable and shared by all who ask for it. */
export type MediaFile = MemoryFile | StoredFile;

/** Media in memory: `bytes` in one piece, never to be written to. */
export interface MemoryFile {
  readonly contentType: string;
  readonly bytes: Buffer;
}

/** Media on disk. The file may go at any moment; whoever has it open reads on. */
export interface StoredFile {
  readonly contentType: string;
  readonly path: string;
  readonly size: number;
}
