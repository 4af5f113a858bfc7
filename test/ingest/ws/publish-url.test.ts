import { describe, expect, it } from 'vitest';
import { isPublishUrl, parsePublishUrl } from '../../../src/ingest/ws/publish-url.ts';

describe('the URL of a WebSocket publisher', () => {
  it.each([
    ['/ingest/live/demo?key=secret', 'live/demo', 'secret'],
    ['/ingest/live/demo', 'live/demo', undefined],
    ['/ingest/live/demo?key=', 'live/demo', ''],
    ['/ingest/live/demo?key=a%2Bb%3F%26c&key=second&other=1', 'live/demo', 'a+b?&c'],
    ['/ingest/live%2Fdemo?key=x?y', 'live/demo', 'x'],
    ['/ingest/', '', undefined],
    ['/ingest/live/%2e%2e/x?key=s', 'live/../x', 's'],
  ])('%s names a broadcast and a key', (url, broadcast, key) => {
    expect(isPublishUrl(url)).toBe(true);
    expect(parsePublishUrl(url)).toEqual({ broadcast, key });
  });

  it.each(['/', '/ingest', '/ingestion/live/demo', '/hls/ingest/live/demo', ''])('is not %s', (url) => {
    expect(isPublishUrl(url)).toBe(false);
  });

  it.each(['/ingest/live/%zz', `/ingest/live/${'x'.repeat(2_048)}`])('cannot be badly encoded or too long', (url) => {
    expect(() => parsePublishUrl(url)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});
