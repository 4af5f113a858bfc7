import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runFfmpegOnce } from '../../../src/ffmpeg/one-shot.ts';
import { SourceResolver } from '../../../src/vod/source/source-resolver.ts';
import { until } from '../../support/poll.ts';
import { openRemoteAccess } from '../../support/remote-access.ts';
import { RangeServer } from '../../support/range-server.ts';

let film: Buffer;
beforeAll(async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'laddercast-remote-'));
  const file = path.join(folder, 'film.mp4');
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=24:duration=20', '-c:v', 'libx264'];
  execFileSync('ffmpeg', ['-v', 'error', ...picture, '-preset', 'ultrafast', '-g', '48', '-threads', '1', file]);
  film = await fs.readFile(file);
  await fs.rm(folder, { recursive: true });
});

let server: RangeServer;
let access: ReturnType<typeof openRemoteAccess>;
let resolver: SourceResolver;
let failures: string[];
beforeEach(async () => {
  failures = [];
  server = await RangeServer.start(film);
  access = openRemoteAccess({
    lookup: (name, _options, callback) =>
      callback(null, [{ address: name === 'films.example' ? '127.0.0.1' : '127.0.0.9', family: 4 }]),
    onFailure: (detail) => failures.push(detail),
  });
  resolver = new SourceResolver({ mediaRoots: [], remote: access });
});
afterEach(async () => {
  await access.close();
  await server.close();
});

describe('a remote source', () => {
  it('is named without its secrets', async () => {
    const address = server.url('/films/a.mp4?token=hunter2#part').replace('//', '//anna:passw0rd@');
    const source = await resolver.resolve(address);
    expect(source).toMatchObject({ kind: 'http', label: server.url('/films/a.mp4'), sizeBytes: film.length });
    expect(JSON.stringify(source)).not.toMatch(/hunter2|passw0rd|anna/);
    expect(source.identity).toMatch(/^http:[0-9a-f]{64}$/);
  });

  it('is the same as long as address, credentials, size and version are', async () => {
    const identity = async (address: string): Promise<string> => (await resolver.resolve(address)).identity;
    const first = await identity(server.url('/a.mp4?x=1'));
    expect(await identity(server.url('/a.mp4?x=1#y'))).toBe(first);
    expect(await identity(server.url('/a.mp4?x=2'))).not.toBe(first);
    expect(await identity(server.url('/a.mp4?x=1').replace('//', '//anna:b@'))).not.toBe(first);
    server.etag = '"v2"';
    expect(await identity(server.url('/a.mp4?x=1'))).not.toBe(first);
  });

  it('is found by name where the name leads to an allowed address, and not where it does not', async () => {
    expect((await resolver.resolve(server.url('/a.mp4', 'films.example'))).sizeBytes).toBe(film.length);
    const refused = resolver.resolve(server.url('/a.mp4', 'inner.example'));
    await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(refused).rejects.not.toThrow('127.0.0.9');
    expect(failures).toHaveLength(1);
  });

  it.each(['http://', 'https:', 'http://[', 'http://a b/', 'http:// /'])(
    'is refused for %j, which is no address',
    async (address) => {
      await expect(resolver.resolve(address)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    },
  );

  it.each([
    'http://169.254.169.254/latest',
    'http://[::1]/',
    'https://10.0.0.1/a.mp4',
    'http://0/',
    'http://films.example:22/',
  ])('is refused for %s', async (address) => {
    await expect(resolver.resolve(address)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('is read by ffmpeg from any place, by nothing but parts', async () => {
    const source = await resolver.resolve(server.url());
    const input = await source.openInput();
    const commandLine = {
      input: ['-loglevel', 'error', '-ss', '15'],
      output: ['-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'gray'],
    };
    const bounds = { binaryPath: 'ffmpeg', input: undefined, timeoutMs: 20_000, maxOutputBytes: 1_000_000 };
    const picture = await runFfmpegOnce({ ...bounds, commandLine, source: input });
    expect(picture).toHaveLength(320 * 180);
    expect(server.seen.every(({ range }) => range !== undefined)).toBe(true);
    await until('all connections to end', async () => (await server.connections()) === 0);
    input.release();
    await expect(runFfmpegOnce({ ...bounds, commandLine, source: input })).rejects.toThrow(/404|Not Found/);
  });

  it('is read byte by byte as well', async () => {
    const bytes = await (await resolver.resolve(server.url())).openBytes();
    expect((await bytes.read(4, 4)).toString()).toBe('ftyp');
    await bytes.close();
  });
});
