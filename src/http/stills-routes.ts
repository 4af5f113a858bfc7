import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { STILL_CACHE } from './cache-policy.ts';
import { hasVersion } from './negotiation.ts';
import { type BroadcastParams, broadcastOf } from './playback-paths.ts';
import { type Query, readToken } from './playback-query.ts';

/** Pictures of live broadcasts, made when somebody asks. Everything rejects with `AppError`. */
export interface Stills {
  /** JPEG of now. */
  thumbnail(broadcast: string, signal: AbortSignal): Promise<Buffer>;
  /** WebVTT of the time-shift window; it names sheets of pictures. */
  storyboard(broadcast: string): Promise<{ readonly vtt: string }>;
  /** JPEG: sheet `index` of the storyboard. */
  sprite(broadcast: string, index: number, signal: AbortSignal): Promise<Buffer>;
}

interface SheetParams extends BroadcastParams {
  readonly sheet: string;
}

/** `/:app/:name/thumbnail.jpg`, `storyboard.vtt` and the `storyboard-N.jpg` that it names. */
export function stillsRoutes(app: FastifyInstance, stills: Stills): void {
  app.get<{ Params: BroadcastParams }>('/:app/:name/thumbnail.jpg', async (request, reply) => {
    const picture = await stills.thumbnail(broadcastOf(request.params), request.signal);
    return sendStill(request, reply, { type: 'image/jpeg', content: picture });
  });

  app.get<{ Params: BroadcastParams }>('/:app/:name/storyboard.vtt', async (request, reply) => {
    const { vtt } = await stills.storyboard(broadcastOf(request.params));
    const token = readToken(request.query as Query);
    const content = Buffer.from(token === undefined ? vtt : withSheetToken(vtt, token));
    return sendStill(request, reply, { type: 'text/vtt; charset=utf-8', content });
  });

  app.get<{ Params: SheetParams }>('/:app/:name/storyboard-:sheet(^\\d{1,15}).jpg', async (request, reply) => {
    const { sheet } = request.params;
    const picture = await stills.sprite(broadcastOf(request.params), Number(sheet), request.signal);
    return sendStill(request, reply, { type: 'image/jpeg', content: picture });
  });
}

/** The storyboard with `token=…` on every sheet that it names. */
function withSheetToken(vtt: string, token: string): string {
  return vtt.replace(/^storyboard-\d+\.jpg(?=#)/gm, (sheet) => `${sheet}?token=${encodeURIComponent(token)}`);
}

function sendStill(
  request: FastifyRequest,
  reply: FastifyReply,
  { type, content }: { type: string; content: Buffer },
): FastifyReply {
  const etag = `"${createHash('sha1').update(content).digest('base64url').slice(0, 16)}"`;
  void reply.headers({ 'cache-control': STILL_CACHE, etag });
  if (hasVersion(request, etag)) return reply.code(304).send();
  return reply.header('content-type', type).send(content);
}
