import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, HttpFixture } from '../support/http-fixture.ts';

let fixture: HttpFixture;
beforeEach(async () => void (fixture = await HttpFixture.create()));
afterEach(() => fixture.close());

const rung = { name: '360p', width: 640, height: 360, videoBitrateKbps: 700, audioBitrateKbps: 96 };

const post = (payload: unknown, { url = '/api/v1/renditions', headers = {} } = {}) =>
  fixture.app.inject({
    method: 'POST',
    url,
    headers: { ...ADMIN, 'content-type': 'application/json', ...headers },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });
const get = () => fixture.app.inject({ url: '/api/v1/renditions', headers: ADMIN });
const remove = (name: string) =>
  fixture.app.inject({ method: 'DELETE', url: `/api/v1/renditions/${name}`, headers: ADMIN });

describe('the renditions resource', () => {
  it('lists the rungs of all ladders', async () => {
    expect((await get()).json()).toEqual([
      { ladder: 'default', name: '720p', width: 1280, height: 720, videoBitrateKbps: 2500, audioBitrateKbps: 128 },
      { ladder: 'radio', name: 'sound', audioBitrateKbps: 64 },
    ]);
  });

  it('adds a rung to the first ladder, as it was given', async () => {
    const answer = await post(rung);
    expect(answer.statusCode).toBe(201);
    expect(answer.json()).toEqual({ ladder: 'default', ...rung });
    expect(fixture.deps.ladders.renditionsFor('live/demo')).toContainEqual(rung);
  });

  it('adds a rung to the ladder that is named', async () => {
    expect((await post(rung, { url: '/api/v1/renditions?ladder=radio' })).json()).toMatchObject({ ladder: 'radio' });
    expect((await post(rung, { url: '/api/v1/renditions?ladder=nope' })).statusCode).toBe(404);
    expect((await post(rung, { url: '/api/v1/renditions?lader=radio' })).statusCode).toBe(400);
  });

  it('refuses a name that exists or is reserved with 409', async () => {
    expect((await post({ ...rung, name: '720p' })).json()).toMatchObject({ statusCode: 409, code: 'CONFLICT' });
    expect((await post({ ...rung, name: 'source' })).json()).toMatchObject({ statusCode: 409, code: 'CONFLICT' });
  });

  it('removes a rung, and answers 404 for one that is not there', async () => {
    const answer = await remove('720p');
    expect([answer.statusCode, answer.body]).toEqual([204, '']);
    expect((await remove('720p')).json()).toMatchObject({ statusCode: 404, error: 'Not Found', code: 'NOT_FOUND' });
  });

  it.each([
    ['no JSON', '{"name":', /JSON/],
    ['nothing', '', /./],
    ['an array', [rung], /body must be object/],
    ['null', 'null', /body must be object/],
    ['an unknown field', { ...rung, bitrate: 5 }, /body has the unknown field "bitrate"/],
    ['a missing name', { ...rung, name: undefined }, /'name'/],
    ['a missing bitrate', { ...rung, videoBitrateKbps: undefined }, /"videoBitrateKbps" is missing/],
    ['a name with a slash', { ...rung, name: 'a/b' }, /"name" must match pattern/],
    ['a name that climbs', { ...rung, name: '../../etc' }, /"name" must match pattern/],
    ['a name with a control character', { ...rung, name: 'a\u0000b' }, /"name" must match pattern/],
    ['a name with a line break', { ...rung, name: 'a\n' }, /"name" must match pattern/],
    ['an empty name', { ...rung, name: '' }, /"name" must match pattern/],
    ['a name that is too long', { ...rung, name: 'a'.repeat(33) }, /"name" must match pattern/],
    ['a size of zero', { ...rung, width: 0 }, /"width" must be >= 16/],
    ['a negative size', { ...rung, height: -360 }, /"height" must be >= 16/],
    ['an absurd size', { ...rung, width: 1e9 }, /"width" must be <= 7680/],
    ['a fraction', { ...rung, width: 640.5 }, /"width" must be integer/],
    ['a number as text', { ...rung, width: '640' }, /"width" must be integer/],
    ['an absurd bitrate', { ...rung, videoBitrateKbps: 1e12 }, /"videoBitrateKbps" must be <= 200000/],
    ['an encoder that is an option', { ...rung, encoder: '-i /etc/passwd' }, /"encoder" must match pattern/],
    ['a factory that is not there', { ...rung, factory: 'magic' }, /"factory" must/],
    ['a prototype', '{"__proto__":{"x":1},"name":"a"}', /./],
  ])('refuses %s with 400 and changes nothing', async (_what, body, message) => {
    const before = fixture.deps.ladders.list();
    const answer = await post(body);
    expect(answer.json()).toMatchObject({ statusCode: 400, error: 'Bad Request', code: 'BAD_REQUEST' });
    expect(answer.json<{ message: string }>().message).toMatch(message);
    expect(fixture.deps.ladders.list()).toEqual(before);
  });

  it('refuses a body over 64 kB with 413', async () => {
    expect((await post({ ...rung, preset: 'x'.repeat(65_536) })).json()).toMatchObject({
      statusCode: 413,
      code: 'TOO_LARGE',
    });
  });

  it('refuses a body that is not called JSON with 415', async () => {
    const answer = await post('name=a', { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
    expect(answer.json()).toMatchObject({ statusCode: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
  });

  it.each(['a%2Fb', '..%2f..', 'a%00b', '%0a', 'x'.repeat(150)])(
    'answers 404 for the strange name %s',
    async (name) => {
      expect((await remove(name)).json()).toMatchObject({ statusCode: 404, code: 'NOT_FOUND' });
    },
  );

  it('answers a broken escape with 400', async () => {
    expect((await remove('%zz')).json()).toMatchObject({ statusCode: 400, code: 'BAD_REQUEST' });
  });
});
