import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyReply } from 'fastify';
import type { HttpApp } from './http-app.ts';

/**
 * Nothing from elsewhere and nothing inline; `blob:` is how Media Source Extensions feed the video element, `data:` is where
 * hls.js has subtitle tracks come from before it fills them.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "media-src 'self' blob: data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const SECURITY_HEADERS = Object.freeze({
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
});

const WEB_FOLDER = fileURLToPath(new URL('../web/', import.meta.url));
const HLS_FOLDER = path.dirname(createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js'));
const HLS_FILES: readonly string[] = Object.freeze(['hls.min.js', 'hls.worker.js']);

/** Serves the dashboard, the pages that play a broadcast or a file, and what they load. */
export async function pagesRoutes(app: HttpApp): Promise<void> {
  const options = { schema: { hide: true } };

  await app.register(fastifyStatic, {
    root: [WEB_FOLDER, HLS_FOLDER],
    prefix: '/assets/',
    index: false,
    cacheControl: false,
    // The folder of hls.js holds a dozen builds; the pages use one.
    allowedPath: (name, root) => root !== HLS_FOLDER || HLS_FILES.includes(name.slice(1)),
    setHeaders: (response) => {
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
      response.setHeader('cache-control', 'public, max-age=0, must-revalidate');
    },
  });

  app.get('/', options, (_request, reply) => page(reply, 'dashboard.html'));
  app.get('/watch/:app/:name', options, (_request, reply) => page(reply, 'watch.html'));
  // Ids of sessions have 22 characters; a broadcast of an app called `vod` keeps its page.
  app.get('/watch/vod/:id(^[A-Za-z0-9_-]{22}$)', options, (_request, reply) => page(reply, 'film.html'));
  app.get('/favicon.ico', options, (_request, reply) => page(reply, 'icon.svg'));
}

function page(reply: FastifyReply, file: string): FastifyReply {
  return reply.sendFile(file, WEB_FOLDER);
}
