import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readEvents } from '../../src/pre-encode/event-reader.ts';
import { preEncode } from '../../src/pre-encode/pre-encode.ts';

let server: Server;
let baseUrl: string;
/** Method and path of each request, and what was asked to be played. */
let asked: string[];
let sources: unknown[];
let interrupt: AbortController;
let progressOf: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  [asked, sources, interrupt] = [[], [], new AbortController()];
  progressOf = (_request, response) => response.end(events(progress('running', 0), progress('complete', 10)));
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
  const json = (status: number, body: unknown): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  if (request.headers.authorization !== 'Bearer admin') json(401, { message: 'a wrong token' });
  else if (request.method === 'DELETE') response.writeHead(204).end();
  else if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    progressOf(request, response);
  } else {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { source, fill, user } = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
    sources.push(source);
    if (fill !== true || user === undefined || source === 'missing.mp4')
      json(404, { message: 'there is no \u001b[2Jsuch file' });
    else json(200, { id: `id-${sources.length}`, source, durationMs: 60_000 });
  }
}

const progress = (state: string, encoded: number, reason?: string): string =>
  JSON.stringify({ state, segments: 10, encoded, bytes: encoded * 100_000, reason });
const events = (...data: string[]): string => data.map((item) => `event: progress\ndata: ${item}\n\n`).join('');

async function run(files: string[], { isTTY = false, adminToken = 'admin' } = {}) {
  const output = Object.assign(new PassThrough(), { isTTY, columns: 120, cursorTo: noop, clearLine: noop });
  const code = await preEncode({
    files,
    baseUrl,
    adminToken,
    output,
    signal: interrupt.signal,
    cwd: import.meta.dirname,
  });
  return { code, text: String(output.read() ?? '') };
}

function noop(): void {
  // A terminal would move its cursor.
}

describe('pre-encode', () => {
  it('fills the cache with one file after the other, and tells each tenth of the way', async () => {
    progressOf = (_request, response) =>
      response.end(
        `: connected\n\n${events(...[0, 1, 1, 5, 9].map((at) => progress('running', at)), progress('complete', 10))}`,
      );
    const { code, text } = await run([
      path.basename(import.meta.filename),
      'ROOT/film.mp4',
      'https://example.test/a.mp4?x=1',
    ]);
    expect(code).toBe(0);
    expect(sources).toEqual([import.meta.filename, 'ROOT/film.mp4', 'https://example.test/a.mp4?x=1']);
    expect(asked.slice(0, 3)).toEqual([
      'POST /api/v1/vod',
      'GET /api/v1/vod/id-1/progress',
      'DELETE /api/v1/vod/id-1?force=true',
    ]);
    const lines = text.split('\n').filter((line) => line.startsWith('film.mp4'));
    expect(lines).toEqual([
      ...[0, 10, 50, 90, 100].map(
        (percent) =>
          `film.mp4: ${percent}% (${percent / 10}/10 segments, ${percent / 100}${percent % 100 === 0 ? '.0' : ''} MB)`,
      ),
      expect.stringMatching(/^film\.mp4: complete in \d+\.\d s, 10 segments, 1\.0 MB$/),
    ]);
  });

  it('goes on after a file that fails, says why without what a terminal would obey, and ends with 1', async () => {
    const { code, text } = await run(['missing.mp4', 'film.mp4']);
    expect(code).toBe(1);
    expect(text).toContain('missing.mp4: failed: there is no ?[2Jsuch file\n');
    expect(text).toContain('film.mp4: complete in ');
  });

  it.each([
    [
      'an encoder that fails',
      events(progress('running', 3), progress('failed', 3, 'ffmpeg gave up')),
      'ffmpeg gave up',
    ],
    ['a session that ends', `${events(progress('running', 3))}event: end\ndata: {}\n\n`, 'before it was complete'],
    ['a connection that ends', events(progress('running', 3)), 'before it was complete'],
  ])('fails with %s', async (_what, answered, reason) => {
    progressOf = (_request, response) => response.end(answered);
    const { code, text } = await run(['film.mp4']);
    expect(code).toBe(1);
    expect(text).toContain(reason);
    expect(asked.at(-1)).toBe('DELETE /api/v1/vod/id-1?force=true');
  });

  it('ends the session when it is interrupted, and leaves the other files', async () => {
    progressOf = (_request, response) => {
      response.write(events(progress('running', 1)));
      interrupt.abort();
    };
    const { code, text } = await run(['film.mp4', 'other.mp4']);
    expect(code).toBe(130);
    expect(text).toMatch(/interrupted; what is encoded stays\n$/);
    expect(asked.filter((line) => !line.startsWith('GET'))).toEqual([
      'POST /api/v1/vod',
      'DELETE /api/v1/vod/id-1?force=true',
    ]);
  });

  it('says what is wrong with the server', async () => {
    expect((await run(['film.mp4'], { adminToken: 'other' })).text).toContain('a wrong token');
    baseUrl = 'http://127.0.0.1:1';
    const { code, text } = await run(['film.mp4']);
    expect(code).toBe(1);
    expect(text).toContain('http://127.0.0.1:1 does not answer');
  });

  it('draws a bar on a terminal', async () => {
    const { code, text } = await run(['a {name} that is longer than thirty-two characters.mp4'], { isTTY: true });
    expect(code).toBe(0);
    expect(text).toContain('a _name_ that is longer than th\u2026 ');
    expect(text).toContain('\u2588'.repeat(40));
    expect(text).toContain('100% | 10/10 segments | 1.0 MB');
  });
});

describe('server-sent events', () => {
  const read = async (...chunks: string[]) => {
    const found: string[] = [];
    const bytes = (async function* () {
      for (const chunk of chunks) yield await Promise.resolve(Buffer.from(chunk, 'latin1'));
    })();
    for await (const { type, data } of readEvents(bytes)) found.push(`${type}=${data}`);
    return found;
  };

  it('are read however they are cut', async () => {
    const text = Buffer.from(': hello\n\nevent: a\ndata: ü\n\ndata:1\r\ndata: 2\r\n\r\nevent: none\n\n').toString(
      'latin1',
    );
    expect(await read(text)).toEqual(['a=ü', 'message=1\n2']);
    expect(await read(...text.split(/(?=.)/s))).toEqual(['a=ü', 'message=1\n2']);
  });

  it('may not be larger than 1 MiB', async () => {
    await expect(read(`data: ${'x'.repeat(1024 * 1024)}`)).rejects.toMatchObject({ code: 'BAD_MEDIA' });
  });
});
