import { AppError } from '../../util/errors.ts';

/** Sizes, in bytes, that a stream may not exceed. */
interface BoxStreamLimits {
  /** `ftyp` + `moov`. */
  readonly maxInitBytes: number;
  readonly maxMoofBytes: number;
  /** `moof` + `mdat`. */
  readonly maxFragmentBytes: number;
  /** Any other box; those are skipped without being kept. */
  readonly maxSkippedBytes: number;
}

/** Room for 32 MB fragments: a whole GOP of 20 s at 12 Mbit/s. */
export const BOX_STREAM_LIMITS: BoxStreamLimits = Object.freeze({
  maxInitBytes: 64 * 1024,
  maxMoofBytes: 512 * 1024,
  maxFragmentBytes: 32 * 1024 * 1024,
  maxSkippedBytes: 1024 * 1024,
});

/** A complete piece of the stream: `ftyp` + `moov`, or `moof` + `mdat`. The bytes belong to the receiver. */
export interface BoxStreamItem {
  readonly type: 'init' | 'fragment';
  readonly bytes: Buffer;
}

const FIRST_ALLOCATION_BYTES = 64 * 1024;

/**
 * Splits a fragmented MP4 byte stream that is cut anywhere into its init and its fragments. Boxes that carry no media
 * (`styp`, `sidx`, `emsg`, `prft`, `free`, `mfra` and the like) are left out. Memory: the piece in progress, at most
 * twice what was received of it. After a throw the stream is lost.
 */
export class BoxStream {
  readonly #limits: BoxStreamLimits;
  readonly #header = Buffer.alloc(16);
  #headerBytes = 0;
  #bodyLeft = 0;
  #boxType = '';
  #keep = false;
  /** The piece in progress: capacity, and how much of it is filled. */
  #piece: Buffer = Buffer.alloc(0);
  #pieceBytes = 0;
  #pieceNeeds = 0;
  #lastKept = '';
  #hasInit = false;

  constructor(limits: BoxStreamLimits = BOX_STREAM_LIMITS) {
    this.#limits = limits;
  }

  /** Bytes of the piece in progress. */
  get bufferedBytes(): number {
    return this.#pieceBytes + this.#headerBytes;
  }

  /**
   * Takes the next bytes (copied, so the caller may reuse the chunk) and returns what they complete.
   * @throws AppError `BAD_MEDIA` if this is no fragmented MP4, or over a limit.
   */
  push(chunk: Buffer): BoxStreamItem[] {
    const items: BoxStreamItem[] = [];
    let at = 0;
    while (at < chunk.length) {
      at += this.#bodyLeft > 0 ? this.#takeBody(chunk, at) : this.#takeHeader(chunk, at);
      if (this.#boxType === '' || this.#bodyLeft > 0) continue;
      const item = this.#endBox();
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const wanted = this.#headerBytes >= 8 ? 16 : 8;
    const taken = chunk.copy(this.#header, this.#headerBytes, at, at + wanted - this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes < wanted) return taken;
    const size32 = this.#header.readUInt32BE(0);
    if (size32 === 1 && wanted === 8) return taken;
    const size = wanted === 8 ? size32 : Number(this.#header.readBigUInt64BE(8));
    this.#beginBox(this.#header.toString('latin1', 4, 8), size);
    return taken;
  }

  #beginBox(type: string, size: number): void {
    const headerBytes = this.#headerBytes;
    this.#headerBytes = 0;
    if (size < headerBytes || !/^[\x20-\x7e]{4}$/.test(type)) {
      throw new AppError(
        'BAD_MEDIA',
        `no box starts with ${JSON.stringify(type)} and size ${size}; send fragmented MP4 (-movflags empty_moov+default_base_moof+frag_keyframe)`,
      );
    }
    this.#keep = this.#admit(type);
    this.#boxType = type;
    this.#bodyLeft = size - headerBytes;
    this.#checkSize(type, size);
    if (!this.#keep) return;
    this.#pieceNeeds = this.#pieceBytes + size;
    this.#append(this.#header, 0, headerBytes);
    this.#lastKept = type;
  }

  /** True if the box belongs to a piece; checks that it may come here. */
  #admit(type: string): boolean {
    const expected = { ftyp: ['', 'ftyp'], moov: ['', 'ftyp'], moof: [''], mdat: ['moof'] }[type];
    if (expected === undefined) return false;
    if (!expected.includes(this.#lastKept) || (type === 'moof' && !this.#hasInit)) {
      const place = this.#lastKept === '' ? 'before any init' : `after "${this.#lastKept}"`;
      throw new AppError(
        'BAD_MEDIA',
        `"${type}" came ${type === 'mdat' ? 'without a "moof"' : place}; send fragmented MP4 that starts with its init`,
      );
    }
    if (type === 'ftyp') this.#dropPiece();
    return true;
  }

  #checkSize(type: string, size: number): void {
    const { maxInitBytes, maxMoofBytes, maxFragmentBytes, maxSkippedBytes } = this.#limits;
    const total = this.#keep ? this.#pieceBytes + size : size;
    const isInit = type === 'ftyp' || type === 'moov';
    const keptLimit = isInit ? maxInitBytes : type === 'moof' ? maxMoofBytes : maxFragmentBytes;
    const limit = this.#keep ? keptLimit : maxSkippedBytes;
    if (total > limit) {
      throw new AppError('BAD_MEDIA', `a "${type}" box makes ${total} bytes where ${limit} is the limit`);
    }
  }

  #takeBody(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#bodyLeft, chunk.length - at);
    if (this.#keep) this.#append(chunk, at, at + taken);
    this.#bodyLeft -= taken;
    return taken;
  }

  #append(source: Buffer, start: number, end: number): void {
    const filled = this.#pieceBytes + end - start;
    if (filled > this.#piece.length) {
      const roomy = Math.max(filled, 2 * this.#piece.length, FIRST_ALLOCATION_BYTES);
      const larger = Buffer.allocUnsafe(Math.min(roomy, this.#pieceNeeds));
      this.#piece.copy(larger, 0, 0, this.#pieceBytes);
      this.#piece = larger;
    }
    source.copy(this.#piece, this.#pieceBytes, start, end);
    this.#pieceBytes = filled;
  }

  #endBox(): BoxStreamItem | undefined {
    const type = this.#boxType;
    this.#boxType = '';
    if (type !== 'moov' && type !== 'mdat') return undefined;
    const bytes = this.#piece.subarray(0, this.#pieceBytes);
    this.#dropPiece();
    this.#hasInit = true;
    return { type: type === 'moov' ? 'init' : 'fragment', bytes };
  }

  #dropPiece(): void {
    this.#piece = Buffer.alloc(0);
    this.#pieceBytes = 0;
    this.#lastKept = '';
  }
}
