import { createHash } from 'node:crypto';

/** Which files an entry has: an init and numbered segments, or a list of tracks and numbered subtitle tracks. */
export type EntryFormat = 'media' | 'subtitles';

/** What an entry is of. Whatever can change a byte of a file has to be in it, or files of two kinds would be mixed. */
export interface EncodeProfile {
  /** Default `media`. */
  readonly format?: EntryFormat;
  /** Tells the source's very bytes from all others. May hold secrets: only its hash is kept. */
  readonly source: string;
  /** Where the source is, whatever its bytes; entries of other bytes at the same place are not kept for long. */
  readonly place?: string;
  /** For people; holds no secret. */
  readonly sourceLabel: string;
  /** e.g. the name of the rendition. */
  readonly quality: string;
  /** Which sound track, -1 if it is none. */
  readonly audioIndex: number;
  /** The encoder's identity, e.g. ffmpeg's version and the codec's name. */
  readonly encoder: string;
  /** The arguments of the encoder, and where segments begin. */
  readonly template: string;
}

/** SHA-256 in hexadecimal digits. */
export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** The same for two profiles exactly if their files may be mixed as long as the init is the same, too. */
export function profileHash(profile: EncodeProfile): string {
  return sha256(JSON.stringify(identifyingFields(profile)));
}

/** The name of an entry: 16 hexadecimal digits that stand for its profile and its init. */
export function entryKey(profile: EncodeProfile, initHash: string): string {
  return sha256(JSON.stringify([...identifyingFields(profile), initHash])).slice(0, 16);
}

function identifyingFields({ format = 'media', source, quality, audioIndex, encoder, template }: EncodeProfile) {
  return [format, source, quality, audioIndex, encoder, template];
}
