import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UpstreamFailure } from '../../remote/upstream-failure.ts';

/**
 * Unpacks gzip piece by piece, little more than is asked for: whoever asks counts what comes, as it may never end.
 * @throws UpstreamFailure `bad-answer` for broken data; whatever `pieces` throws
 */
export async function* gunzipped(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = Readable.from(pieces);
  const gunzip = createGunzip();
  let broken: unknown;
  source.on('error', (error) => {
    broken = error;
    gunzip.destroy(error);
  });
  try {
    yield* source.pipe(gunzip) as AsyncIterable<Buffer>;
  } catch (thrown) {
    const isData = broken === undefined && String((thrown as NodeJS.ErrnoException).code).startsWith('Z_');
    throw isData ? new UpstreamFailure('bad-answer', 'the web server sends broken gzip data') : thrown;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}
