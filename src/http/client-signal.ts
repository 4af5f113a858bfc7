import type { FastifyReply } from 'fastify';

/**
 * Aborts when the client goes before it has its answer. Unlike `request.signal` it also serves requests with a body, whose
 * stream is closed as soon as the body has been read.
 */
export function clientSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  if (raw.destroyed) gone.abort();
  raw.once('close', () => {
    if (!raw.writableEnded) gone.abort();
  });
  return gone.signal;
}
