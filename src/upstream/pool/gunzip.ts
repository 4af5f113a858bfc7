import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { tooLarge } from '../../remote/remote-response.ts';
import { UpstreamFailure } from '../../remote/upstream-failure.ts';

/**
 * Unpacks gzip piece by piece; however much it claims to hold, no more than `maxBytes` are ever unpacked.
 * @throws UpstreamFailure `too-large`, or `bad-answer` for broken data; whatever `pieces` throws
 */
export async function* gunzipped(pieces: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  const source = Readable.from(pieces);
  const gunzip = createGunzip();
  let broken: unknown;
  source.on('error', (error) => {
    broken = error;
    gunzip.destroy(error);
  });
  try {
    let bytes = 0;
    for await (const piece of source.pipe(gunzip) as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      yield piece;
    }
  } catch (thrown) {
    const isData = broken === undefined && String((thrown as NodeJS.ErrnoException).code).startsWith('Z_');
    throw isData ? new UpstreamFailure('bad-answer', 'the web server sends broken gzip data') : thrown;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}
