import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { takesGzip } from './negotiation.ts';

/** Files that are kept; the pages have a few dozen. */
const MAX_FILES = 100;

const TEXT = /^(text\/|application\/javascript|image\/svg\+xml)/;

const compress = promisify(gzip);

/** Compresses the scope's files of text for clients that take it, each version of a file once. */
export function compressAssets(app: FastifyInstance): void {
  const versions = new Map<string, Promise<Buffer>>();
  app.addHook('onSend', async (request, reply, payload) => {
    if (!(payload instanceof Readable) || !isWhole(request, reply)) return payload;
    void reply.header('vary', 'accept-encoding');
    if (!takesGzip(request)) return payload;
    const version = `${pathOf(request)} ${String(reply.getHeader('etag'))}`;
    const known = versions.get(version);
    if (known === undefined) {
      const made = buffer(payload).then((content) => compress(content));
      made.catch(() => versions.delete(version));
      versions.set(version, made);
      const [oldest] = versions.keys();
      if (versions.size > MAX_FILES && oldest !== undefined) versions.delete(oldest);
      return sendCompressed(reply, await made);
    }
    payload.destroy();
    return sendCompressed(reply, await known);
  });
}

function isWhole(request: FastifyRequest, reply: FastifyReply): boolean {
  const isText = TEXT.test(String(reply.getHeader('content-type')));
  return request.method === 'GET' && reply.statusCode === 200 && isText && reply.getHeader('etag') !== undefined;
}

/** The same for all ways to write it, so that a client cannot have many versions of one file made. */
function pathOf({ url }: FastifyRequest): string {
  return decodeURIComponent(new URL(url, 'http://localhost').pathname);
}

function sendCompressed(reply: FastifyReply, content: Buffer): Buffer {
  void reply.headers({ 'content-encoding': 'gzip', 'content-length': content.length });
  return content;
}
