import { describe, expect, it } from 'vitest';
import { parsePublishName } from '../../../src/ingest/rtmp/publish-name.ts';

describe('the name of a publish', () => {
  it.each([
    ['live', 'demo?key=s3cret', 'live/demo', 's3cret'],
    ['live', 'demo', 'live/demo', undefined],
    ['live/', '/demo?key=a%20b', 'live/demo', 'a b'],
    ['live', 'demo?clientConfigId=7&key=k&x', 'live/demo', 'k'],
    ['live', 'demo?key=k?clientConfigId=7', 'live/demo', 'k'],
    ['live?key=from-app', 'demo', 'live/demo', 'from-app'],
    ['live?key=from-app', 'demo?key=from-name', 'live/demo', 'from-name'],
    ['live', 'demo?key=', 'live/demo', ''],
    ['a.b', '..', 'a.b/..', undefined],
    ['', '', '/', undefined],
  ])('in app %j and stream %j is %j', (app, streamName, broadcast, key) => {
    expect(parsePublishName(app, streamName)).toEqual({ broadcast, key });
  });
});
