import { AppError } from '../../../util/errors.ts';

const TS_PACKET_BYTES = 188;
const TS_SYNC = 0x47;
/** Boxes that an initialization section or a segment begins with (ISO 14496-12; RFC 8216, 3.3). */
const FIRST_BOXES = /^(?:ftyp|styp|moov|moof|sidx|ssix|emsg|prft|free|skip|mdat)$/;

/**
 * The same bytes, once their first ones are what the container begins with.
 * @throws AppError `BAD_MEDIA` if they are something else, or nothing; whatever `pieces` throws
 */
export async function* checkedStart(
  pieces: AsyncIterable<Buffer>,
  container: 'mpegts' | 'mp4',
): AsyncGenerator<Buffer> {
  let start: Buffer | undefined = Buffer.alloc(0);
  for await (const piece of pieces) {
    if (start === undefined) yield piece;
    else {
      start = start.length === 0 ? piece : Buffer.concat([start, piece]);
      if (start.length <= TS_PACKET_BYTES) continue;
      check(start, container);
      yield start;
      start = undefined;
    }
  }
  if (start === undefined) return;
  check(start, container);
  yield start;
}

/** Whether bytes begin with a box: many servers encrypt segments only, and not what stands under the same key before them. */
export function beginsWithBox(start: Buffer): boolean {
  return FIRST_BOXES.test(start.toString('latin1', 4, 8));
}

function check(start: Buffer, container: 'mpegts' | 'mp4'): void {
  const isRight =
    container === 'mpegts'
      ? start[0] === TS_SYNC && (start[TS_PACKET_BYTES] ?? TS_SYNC) === TS_SYNC
      : beginsWithBox(start);
  if (isRight) return;
  const wanted = container === 'mpegts' ? 'MPEG-TS' : 'fragmented MP4';
  throw new AppError(
    'BAD_MEDIA',
    `a segment of the playlist is no ${wanted}; MPEG-TS and fragmented MP4 can be played`,
  );
}
