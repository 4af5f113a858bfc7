import { systemClock } from '../util/clock.ts';
import { viewBroadcasts } from './broadcast-view.ts';
import { BroadcastEvents } from './broadcast-events.ts';
import type { HttpDeps } from './deps.ts';
import { EventStreams } from './event-stream.ts';
import type { HttpApp } from './http-app.ts';

/** Tells admins at once what begins, changes and ends, as server-sent events. */
export function eventsRoutes(app: HttpApp, deps: HttpDeps): void {
  const clock = deps.clock ?? systemClock;
  const events = new BroadcastEvents({ view: () => viewBroadcasts(deps), clock });
  const streams = new EventStreams({ clock });

  app.get(
    '/events',
    {
      schema: {
        tags: ['broadcasts'],
        summary: 'Server-sent events: what is, then what changes',
        description:
          'Events `broadcast-live`, `broadcast-waiting`, `broadcast-ended`, `rendition-added`, `rendition-playable`, ' +
          '`rendition-withheld` and `rendition-removed`; `data` is JSON with `broadcast` and, where there is one, `rendition`. ' +
          'Of remote sources `source-added`, `source-removed`, `source-failover` and `source-STATE` with the states that ' +
          '`GET /sources` tells; `data` has `source` and, where there is one, `reason` and `address`.',
        produces: ['text/event-stream'],
      },
    },
    (_request, reply) =>
      streams.open(reply, (stream) => {
        const stops = [
          events.listen((list) => list.forEach(({ type, ...data }) => stream.send(type, data))),
          deps.sources?.listen(({ type, ...data }) => stream.send(type, data)),
        ];
        return () => stops.forEach((stop) => stop?.());
      }),
  );
}
