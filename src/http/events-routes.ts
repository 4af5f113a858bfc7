import { Readable } from 'node:stream';
import { systemClock } from '../util/clock.ts';
import { AppError } from '../util/errors.ts';
import { viewBroadcasts } from './broadcast-view.ts';
import { type BroadcastEvent, BroadcastEvents } from './broadcast-events.ts';
import type { HttpDeps } from './deps.ts';
import type { HttpApp } from './http-app.ts';

/** Clients at a time. */
const MAX_CLIENTS = 100;

/** A client that is this far behind is cut off; it connects again and is told everything anew. */
const MAX_BEHIND_BYTES = 256 * 1024;

/** Proxies and the server itself cut connections on which nothing happens. */
const HEARTBEAT_MS = 15_000;

/** Tells admins at once what begins, changes and ends, as server-sent events. */
export function eventsRoutes(app: HttpApp, deps: HttpDeps): void {
  const clock = deps.clock ?? systemClock;
  const events = new BroadcastEvents({ view: () => viewBroadcasts(deps), clock });

  app.get(
    '/events',
    {
      schema: {
        tags: ['broadcasts'],
        summary: 'Server-sent events: what is, then what changes',
        description:
          'Events `broadcast-live`, `broadcast-waiting`, `broadcast-ended`, `rendition-added`, `rendition-playable`, ' +
          '`rendition-withheld` and `rendition-removed`; `data` is JSON with `broadcast` and, where there is one, `rendition`.',
        produces: ['text/event-stream'],
      },
    },
    (_request, reply) => {
      if (events.listeners >= MAX_CLIENTS) {
        throw new AppError('LIMIT_REACHED', `${MAX_CLIENTS} clients listen to events already; end one of them`);
      }
      const stream = new Readable({ read: () => undefined });
      const send = (text: string): void => {
        if (stream.readableLength + text.length > MAX_BEHIND_BYTES) stream.destroy();
        else stream.push(text);
      };
      const stopListening = events.listen((list) => send(list.map(format).join('')));
      const stopHeartbeat = clock.every(HEARTBEAT_MS, () => send(': heartbeat\n\n'));
      stream.once('close', () => {
        stopListening();
        stopHeartbeat();
      });
      // Some proxies collect answers unless they are told not to.
      void reply.headers({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
      send(': connected\n\n');
      return reply.send(stream);
    },
  );
}

function format({ type, ...data }: BroadcastEvent): string {
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
