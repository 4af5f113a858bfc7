import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpFixture } from '../support/http-fixture.ts';

describe('watch pages', () => {
  let fixture: HttpFixture;
  beforeAll(async () => {
    fixture = await HttpFixture.create();
  });
  afterAll(() => fixture.close());

  it.each([
    ['a broadcast', '/watch/live/demo', 'watch.js'],
    ['a session of a file', '/watch/vod/WlpmdGKmruMLjO95zWtknw', 'film.js'],
    ['a broadcast of an app that is called vod', '/watch/vod/demo', 'watch.js'],
  ])('are those of %s', async (_what, url, script) => {
    const { statusCode, body } = await fixture.app.inject({ url });
    expect(statusCode).toBe(200);
    expect(/src="[^"]*\/(watch|film)\.js"/.exec(body)?.[0]).toContain(script);
  });
});
