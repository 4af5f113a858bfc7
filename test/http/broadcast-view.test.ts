import { describe, expect, it } from 'vitest';
import { BroadcasterRegistry } from '../../src/broadcast/registry.ts';
import { viewBroadcasts } from '../../src/http/broadcast-view.ts';
import type { PublisherRow, WaitingRow } from '../../src/ingest/broadcast-source.ts';
import { videoInit } from '../support/fragments.ts';

const untilMs = Date.UTC(2026, 0, 2, 3, 4, 5);
const waits: WaitingRow = { broadcast: 'live/demo', sinceMs: untilMs - 30_000, untilMs, slate: true };
const publishes: PublisherRow = {
  ...{ broadcast: 'live/demo', protocol: 'rtmp', remote: '127.0.0.1:5', sinceMs: 0 },
  stats: { frames: 1, bytes: 2, droppedFrames: 0, epoch: 0 },
};

function view({
  publisher,
  waiting,
  packaged = true,
}: {
  publisher?: PublisherRow;
  waiting?: WaitingRow;
  packaged?: boolean;
}) {
  const directory = new BroadcasterRegistry();
  if (publisher || waiting)
    directory.open({ broadcast: 'live/demo', rendition: 'source', track: 'video' }, videoInit());
  return viewBroadcasts({
    directory,
    publishers: {
      list: () => (publisher ? [publisher] : []),
      waiting: () => (waiting ? [waiting] : []),
      kick: () => false,
    },
    origin: { describe: () => (packaged ? [{ broadcast: 'live/demo', renditions: [], warnings: [] }] : []) },
    viewers: { count: () => 3 },
  });
}

describe('the view of a broadcast', () => {
  it('is live with its publisher', () => {
    const [found] = view({ publisher: publishes });
    expect(found).toMatchObject({ name: 'live/demo', state: 'live', viewers: 3, publisher: { protocol: 'rtmp' } });
    expect(found).not.toHaveProperty('waitingUntil');
  });

  it('is waiting, and says until when and whether the slate goes on, without one', () => {
    const expected = { state: 'waiting', waitingUntil: '2026-01-02T03:04:05.000Z', slate: true };
    expect(view({ waiting: waits })).toMatchObject([expected]);
    expect(view({ waiting: waits, packaged: false })).toMatchObject([expected]);
    expect(view({ waiting: { ...waits, slate: false } })).toMatchObject([{ state: 'waiting', slate: false }]);
  });

  it('is ended once there is nothing but its playlists', () => {
    expect(view({})).toMatchObject([{ state: 'ended', source: [] }]);
    expect(view({ packaged: false })).toEqual([]);
  });
});
