import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { UpstreamServer } from './upstream-server.ts';

const MIB = 1 << 20;
const HEAD = '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n';

/**
 * Puts playlists on a server that mean harm, at `/NAME/index.m3u8`.
 * @param forbidden an address that nothing may be fetched from: `http://HOST:PORT`.
 * @returns their names.
 */
export function putHostilePlaylists(server: UpstreamServer, forbidden: string): string[] {
  const names: string[] = [];
  const noise = randomBytes(MIB);
  const at = (name: string): string => {
    names.push(name);
    return `/${name}/index.m3u8`;
  };
  const put = (name: string, body: string | Buffer): void => server.put(at(name), body);
  const live = (segment: string, before = ''): string =>
    `${HEAD}${before}${[0, 1, 2].map((index) => `#EXTINF:1,\n${segment}?${index}\n`).join('')}`;

  put('many-segments', HEAD + '#EXTINF:1,\na.ts\n'.repeat(100_000));
  put('self-reference', '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nindex.m3u8\n');
  put('many-groups', `#EXTM3U\n${manyGroups(3_000)}`);
  put('open-quote', `#EXTM3U\n#EXT-X-STREAM-INF:NAME="${',A=1'.repeat(60_000)}\nmedia.m3u8\n`);
  put('long-line', `${HEAD}#${'x'.repeat(10 * MIB)}\n`);
  put('garbage', randomBytes(MIB));
  put(
    'number',
    '#EXTM3U\n#EXT-X-TARGETDURATION:1e999\n#EXT-X-MEDIA-SEQUENCE:-99999999999999999999\n#EXTINF:NaN,\na.ts\n',
  );
  put('page', '<!doctype html><title>Internal page</title>');
  server.put(at('bomb'), bomb(), { 'content-encoding': 'gzip' });
  put('huge-playlist', HEAD);
  server.rule('/huge-playlist/index.m3u8', { contentLength: 2 * 1_024 * MIB });
  put('endless-playlist', HEAD);
  server.rule('/endless-playlist/index.m3u8', { endless: Buffer.from('#EXTINF:1,\nsegment.ts\n'.repeat(1_000)) });
  put('drip', live('segment.ts'));
  server.rule('/drip/index.m3u8', { dripMs: 200 });
  put('silence', HEAD);
  server.rule('/silence/index.m3u8', { hang: 'head' });
  put('redirect-loop', HEAD);
  server.rule('/redirect-loop/index.m3u8', { redirect: '/redirect-loop/index.m3u8' });
  put('redirect-inside', HEAD);
  server.rule('/redirect-inside/index.m3u8', { redirect: `${forbidden}/redirect` });
  put('redirect-file', HEAD);
  server.rule('/redirect-file/index.m3u8', { redirect: 'file:///etc/passwd' });
  put('variant-inside', `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n${forbidden}/variant\n`);
  put('segment-inside', live(`${forbidden}/segment`));
  put('segment-file', live('file:///etc/passwd'));
  put('key-inside', live('segment.ts', `#EXT-X-KEY:METHOD=AES-128,URI="${forbidden}/key"\n`));
  put('init-inside', live('segment.m4s', `#EXT-X-MAP:URI="${forbidden}/init"\n`));
  put('huge-segment', live('segment.ts'));
  server.rule('/huge-segment/segment.ts', { contentLength: 2 * 1_024 * MIB });
  put('endless-segment', live('segment.ts'));
  server.rule('/endless-segment/segment.ts', { endless: Buffer.alloc(64 << 10, 0x47) });
  put('noise', live('segment.ts'));
  server.route(/\/segment\.(ts|m4s)$/, () => ({ body: noise }));
  return names;
}

/** Every variant in the group of every rendition. */
function manyGroups(count: number): string {
  const media = Array.from({ length: count }, (_, index) => `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="${index}"\n`);
  const variants = `#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nindex.m3u8\n`.repeat(count);
  return media.join('') + variants;
}

function bomb(): Buffer {
  return gzipSync(Buffer.concat([Buffer.from(HEAD), Buffer.alloc(200 * MIB, '#\n')]));
}
