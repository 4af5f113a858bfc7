import { type Amf0Value, decodeAmf0, isAmf0Object } from './amf0.ts';

/** What `onMetaData` claims about track 0; hints only, a decoder set-up that says otherwise is right. */
export interface StreamMetadata {
  /** Pixels. */
  readonly width?: number;
  readonly height?: number;
  /** Frames per second. */
  readonly frameRate?: number;
  /** The publisher's program, at most 128 characters. */
  readonly encoder?: string;
}

/**
 * Parses an RTMP data message (type 18): the metadata, or undefined if it is some other data message.
 *
 * @throws AppError `BAD_MEDIA` if the message is not AMF0.
 */
export function parseStreamMetadata(body: Buffer): StreamMetadata | undefined {
  const values = decodeAmf0(body);
  const [name, members] = values[0] === '@setDataFrame' ? values.slice(1) : values;
  if (name !== 'onMetaData' || members === undefined || !isAmf0Object(members)) return undefined;
  const width = within(members['width'], 16_384);
  const height = within(members['height'], 16_384);
  const frameRate = within(members['framerate'], 1000);
  const encoder = members['encoder'];
  return {
    ...(width !== undefined && { width: Math.round(width) }),
    ...(height !== undefined && { height: Math.round(height) }),
    ...(frameRate !== undefined && { frameRate }),
    ...(typeof encoder === 'string' && { encoder: encoder.slice(0, 128) }),
  };
}

function within(value: Amf0Value, max: number): number | undefined {
  return typeof value === 'number' && value >= 1 && value <= max ? value : undefined;
}
