import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HostAllowList } from '../../../src/ingest/pull/host-allow-list.ts';
import { ProtocolFeed } from '../../../src/ingest/pull/protocol-feed.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { silentLogger } from '../../../src/util/logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/poll.ts';
import { RtspServer } from '../../support/rtsp-server.ts';
import { testBinary } from '../../support/vod-heads.ts';

const LISTED = ['127.0.0.1'];

let server: RtspServer | undefined;
let feed: ProtocolFeed | undefined;
afterEach(async () => {
  await feed?.close();
  await server?.close();
  server = undefined;
});

function open(urls: string[], hosts = LISTED, lines: string[] = [], clock = systemClock): ProtocolFeed {
  const logger = { ...silentLogger, debug: (fields: object) => lines.push(JSON.stringify(fields)) };
  feed = new ProtocolFeed({
    ...{ urls, hosts: new HostAllowList(hosts), binary: testBinary, failuresBeforeNext: 1, clock, logger },
  });
  return feed;
}

/** What the stream at the address ends with. */
async function failureOf(url: string, lines: string[] = []): Promise<unknown> {
  const stream = await open([url], LISTED, lines).open(new AbortController().signal);
  try {
    for await (const piece of stream.pieces()) if (piece.length > 0) return undefined;
    return 'end';
  } catch (thrown) {
    return thrown;
  } finally {
    await stream.close();
  }
}

describe('ProtocolFeed', () => {
  it('starts nothing for a host that is not listed', async () => {
    server = await RtspServer.start();
    const url = `rtsp://127.0.0.1:${server.port}/a`;
    for (const hosts of [[], ['camera.example'], ['10.0.0.0/8'], ['localhost']]) {
      await expect(open([url], hosts).open(new AbortController().signal)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    const named = open([url.replace('127.0.0.1', 'localhost')], ['localhost']);
    await expect(named.open(new AbortController().signal)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(server.requests).toEqual([]);
  });

  it.each([
    ['401 Unauthorized', /it refuses the credentials/],
    ['404 Not Found', /it has no such stream/],
    ['500 Internal Server Error', /does not answer as it should/],
  ])('says why a server that answers %s cannot be used, and no secret', async (status, told) => {
    server = await RtspServer.start({ refusal: { status } });
    const lines: string[] = [];
    const failure = await failureOf(`rtsp://heidi:topsecret@127.0.0.1:${server.port}/a?token=hidden`, lines);
    expect(failure).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringMatching(told) as string });
    expect(JSON.stringify([failure, lines, String(failure), feed!.label])).not.toMatch(/topsecret|hidden|heidi/);
  });

  it('ends with a server that is not there, or closes at once', async () => {
    const refusing = net.createServer((socket) => socket.destroy());
    await once(refusing.listen(0, '127.0.0.1'), 'listening');
    const { port } = refusing.address() as AddressInfo;
    for (const scheme of ['rtsp', 'rtmp'])
      expect(await failureOf(`${scheme}://127.0.0.1:${port}/a/b`)).toBeInstanceOf(Error);
    await once(refusing.close(), 'close');
    for (const scheme of ['rtsp', 'rtmp'])
      expect(await failureOf(`${scheme}://127.0.0.1:${port}/a/b`)).toBeInstanceOf(Error);
  });

  it('leaves no process and no connection behind when a silent server is given up', async () => {
    server = await RtspServer.start({ silent: true });
    const stream = await open([`rtsp://127.0.0.1:${server.port}/a`]).open(new AbortController().signal);
    const pieces = stream.pieces()[Symbol.asyncIterator]();
    const read = pieces.next().catch(() => undefined);
    await until('its request', () => server!.requests.length > 0);
    await stream.close();
    await until('its end', () => server!.connections === 0);
    await read;
  });

  it('gives what a camera sends as a transport stream', async () => {
    server = await (await RtspServer.start()).encode();
    expect(await failureOf(`rtsp://127.0.0.1:${server.port}/cam`)).toBeUndefined();
    expect(server.requests.map((line) => line.split(' ')[0])).toEqual(
      expect.arrayContaining(['DESCRIBE', 'SETUP', 'PLAY']),
    );
  });

  it('looks each half minute whether the first address works again, while another one is used', async () => {
    server = await (await RtspServer.start()).encode();
    const clock = new ManualClock();
    const { rotation } = open([`rtsp://127.0.0.1:${server.port}/cam`, 'rtsp://127.0.0.1:9/backup'], LISTED, [], clock);
    rotation.failed(rotation.current, 'it broke');
    expect(rotation.current.index).toBe(1);
    for (let looks = 1; looks <= 3; looks += 1) {
      clock.advance(30_000);
      await until('a look', () => server!.requests.filter((line) => line.startsWith('PLAY')).length === looks);
      await until('its end', () => server!.connections === 0);
    }
    expect(rotation.current.index).toBe(0);
  });
});
