import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { checkHls } from '../../src/check/check-hls.ts';
import { runCheck } from '../../src/check/run-check.ts';

const servers: http.Server[] = [];

/** A server that gives the same answer to everything, or what the function says. */
async function serve(answer: http.RequestListener | string): Promise<string> {
  const listener: http.RequestListener =
    typeof answer === 'string' ? (_, response) => void response.end(answer) : answer;
  const server = http.createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/index.m3u8`;
}

const VOD = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="init.mp4"
#EXTINF:2.0,
0.m4s
#EXT-X-ENDLIST
`;

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe('a check of what is no stream', () => {
  it.each(['file:///etc/passwd', 'nonsense', 'ftp://127.0.0.1/x.m3u8'])('refuses %s', async (url) => {
    await expect(checkHls(url)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  it.each([0, -1, 601, NaN])('refuses to watch for %d s', async (seconds) => {
    await expect(checkHls('http://127.0.0.1:1/', { seconds })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  it('says that nothing answers', async () => {
    await expect(checkHls('http://127.0.0.1:1/index.m3u8')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('says which status was answered', async () => {
    const url = await serve((_, response) => void response.writeHead(404).end());
    await expect(checkHls(url)).rejects.toThrow(`${url} answered 404; is the broadcast live?`);
  });

  it('says that a page is no playlist', async () => {
    const url = await serve('<html></html>');
    await expect(checkHls(url)).rejects.toThrow(/is no HLS playlist: it does not begin with #EXTM3U/);
  });

  it('says that a multivariant playlist leads nowhere', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/index.m3u8') response.end('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmedia.m3u8\n');
      else response.writeHead(410).end();
    });
    await expect(checkHls(url)).rejects.toThrow(/no media playlist can be read: .*media.m3u8: 410/);
  });

  it('ends redirects that go in a circle', async () => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests += 1;
      response.writeHead(302, { location: '/index.m3u8' }).end();
    });
    await expect(checkHls(url)).rejects.toThrow(/answered 302/);
    expect(requests).toBe(6);
  });

  it('takes no playlist without end', async () => {
    const chunk = Buffer.alloc(1024 * 1024, '#');
    const url = await serve((_, response) => {
      response.on('error', () => undefined);
      const write = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', write);
      write();
    });
    await expect(checkHls(url)).rejects.toThrow(/longer than 8388608 bytes/);
  });

  it('takes no playlist that is small only while it is compressed', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, '#'));
    const url = await serve((_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb));
    await expect(checkHls(url)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it.each([
    ['a box longer than its file', '00000020', 'moov'],
    ['a box shorter than its header', '00000004', 'moof'],
    ['a box of 2^32 - 1 bytes', 'ffffffff', 'moof'],
  ])('survives %s', async (_, size, type) => {
    const media = Buffer.concat([Buffer.from(size, 'hex'), Buffer.from(type), Buffer.alloc(8)]);
    const url = await serve((request, response) => void response.end(request.url === '/index.m3u8' ? VOD : media));
    const { items, passed } = await checkHls(url, { seconds: 1 });
    expect(passed).toBe(false);
    expect(items.find(({ id }) => id === 'L24')).toMatchObject({ status: 'fail' });
  });

  it('survives a playlist of nonsense', async () => {
    const lines = ['#EXTM3U', '#EXT-X-TARGETDURATION:x', '#EXT-X-PART:', '#EXTINF:', 'http://[', '#EXT-X-BYTERANGE:@'];
    const more = ['#EXT-X-PRELOAD-HINT:URI="::"', '#EXT-X-SKIP:SKIPPED-SEGMENTS=999999999999999', '#EXTINF:-1,', '\0'];
    const url = await serve([...lines, ...more, '#EXT-X-PROGRAM-DATE-TIME:never', 'x', '#EXT-X-ENDLIST'].join('\n'));
    const { items } = await checkHls(url, { seconds: 1 });
    expect(items).toHaveLength(32);
    expect(items.find(({ id }) => id === 'L9')?.status).toBe('fail');
  });

  it('says what is not for a stream that has ended and has no low latency', async () => {
    const url = await serve(VOD);
    const { items } = await checkHls(url, { seconds: 1 });
    const notForIt = items.filter(({ status }) => status === 'not-applicable').map(({ id }) => id);
    expect(notForIt).toEqual(expect.arrayContaining(['L1', 'L2', 'L8', 'L12', 'L13', 'L14', 'L15', 'L19', 'L20']));
    expect(items.find(({ id }) => id === 'L16')).toMatchObject({ status: 'pass' });
  });
});

describe('hls:check', () => {
  const run = async (...argv: string[]): Promise<{ code: number; out: string; err: string }> => {
    let [out, err] = ['', ''];
    const code = await runCheck(argv, { out: (text) => void (out += text), err: (text) => void (err += text) });
    return { code, out, err };
  };

  it.each([[[]], [['a', 'b']], [['--wrong', 'x']], [['--seconds', 'long', 'http://127.0.0.1:1/']]])(
    'tells how it is used when it is asked %j',
    async (argv) => {
      const { code, out, err } = await run(...argv);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toContain('usage: npm run hls:check -- URL');
    },
  );

  it('helps', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, out: expect.stringContaining('--seconds N') as string });
  });

  it('prints an item a line with its evidence, and ends with 1 if one failed', async () => {
    const { code, out } = await run('--seconds', '1', await serve(VOD));
    expect(code).toBe(1);
    expect(out).toMatch(/^FAIL {2}L28 {2}playlists are gzipped/m);
    expect(out).toMatch(/^ {13}GET \/index.m3u8 -> 200 is not gzipped$/m);
    expect(out).toMatch(/\d+ passed, \d+ failed, \d+ not applicable, \d+ not checkable from outside/);
  });

  it('prints JSON', async () => {
    const { out } = await run('--json', '--seconds', '1', await serve(VOD));
    expect(JSON.parse(out)).toMatchObject({ passed: false, observedS: 1, playlists: ['/index.m3u8'] });
  });
});
