import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { BroadcastPattern } from '../../src/util/broadcast-pattern.ts';
import { loadLadders, parseLadder } from '../../src/ladder/ladder.ts';

const LADDERS = path.resolve(import.meta.dirname, '../../ladders');
const rung = '[[rendition]]\nname = "720p"\nwidth = 1280\nheight = 720\nvideoBitrateKbps = 2500\n';

describe('a ladder file', () => {
  it('gives the rungs in their order, for all broadcasts if it does not say', () => {
    const ladder = parseLadder('mine', `${rung}[[rendition]]\nname = "o"\nfactory = "passthrough"\n`, 'mine.toml');
    expect(ladder).toEqual({
      name: 'mine',
      match: ['*'],
      renditions: [
        { name: '720p', width: 1280, height: 720, videoBitrateKbps: 2500 },
        { name: 'o', factory: 'passthrough' },
      ],
    });
    expect(Object.isFrozen(ladder.renditions[0])).toBe(true);
  });

  it.each([
    ['an unknown key', `${rung}widht = 3\n`, /mine\.toml: unknown key "rendition\.0\.widht"/],
    ['a size of zero', rung.replace('1280', '0'), /mine\.toml: "rendition\.0\.width" must be >= 16, but is 0/],
    ['a name with a slash', rung.replace('720p', '7/20'), /"rendition\.0\.name" must match pattern/],
    ['a name given twice', rung + rung, /mine\.toml, rendition 2 \("720p"\): the name is taken/],
    ['a reserved name', rung.replace('720p', 'audio'), /"audio" is reserved/],
    ['no rung', 'match = ["live/*"]\n', /mine\.toml: "rendition" is missing/],
    ['broken TOML', '[[rendition', /mine\.toml: Invalid TOML/],
    ['a video rung without a bitrate', rung.replace(/videoBit.*\n/, ''), /rendition 1 .*"videoBitrateKbps" is missing/],
    [
      'passthrough with a size',
      `${rung}factory = "passthrough"\n`,
      /"width" has no meaning with factory "passthrough"/,
    ],
    [
      'video settings without a size',
      '[[rendition]]\nname = "a"\npreset = "fast"\n',
      /"preset" needs "width" or "height"/,
    ],
  ])('is refused with %s', (_what, text, message) => {
    expect(() => parseLadder('mine', text, 'mine.toml')).toThrow(message);
  });

  it('may not have more than 32 rungs', () => {
    const rungs = (count: number): string =>
      Array.from({ length: count }, (_, index) => rung.replace('720p', `r${index}`)).join('');
    expect(parseLadder('mine', rungs(32), 'mine.toml').renditions).toHaveLength(32);
    expect(() => parseLadder('mine', rungs(33), 'mine.toml')).toThrow(/"rendition" must not have more than 32 items/);
  });
});

describe('the ready ladders', () => {
  const names = readdirSync(LADDERS).map((file) => path.basename(file, '.toml'));

  it('are all valid and commented', async () => {
    expect(names.sort()).toEqual(['1080p60', 'audio-only', 'default', 'low-bandwidth']);
    expect((await loadLadders(names, LADDERS)).map(({ name }) => name)).toEqual(names);
    for (const name of names) expect(readFileSync(path.join(LADDERS, `${name}.toml`), 'utf8')).toMatch(/^# \w+/);
  });

  it('have the promised default: the source, 720p, 480p and 240p', async () => {
    const [ladder] = await loadLadders(['default'], LADDERS);
    expect(ladder?.renditions).toEqual([
      { name: 'original', factory: 'passthrough' },
      { name: '720p', width: 1280, height: 720, videoBitrateKbps: 2500, audioBitrateKbps: 128 },
      { name: '480p', width: 854, height: 480, videoBitrateKbps: 1200, audioBitrateKbps: 96 },
      { name: '240p', width: 426, height: 240, videoBitrateKbps: 400, audioBitrateKbps: 64 },
    ]);
  });

  it('are found by name or by path, and never twice under one name', async () => {
    const file = path.join(LADDERS, 'default.toml');
    expect((await loadLadders([file], '/nowhere'))[0]?.name).toBe('default');
    await expect(loadLadders(['default', file], LADDERS)).rejects.toThrow(/two ladders are named "default"/);
    await expect(loadLadders(['nope'], LADDERS)).rejects.toThrow(/ladder "nope" cannot be read/);
  });
});

describe('a broadcast pattern', () => {
  it.each([
    ['*', 'live/demo', true],
    ['live/*', 'live/demo', true],
    ['live/*', 'radio/demo', false],
    ['live/a-*-z', 'live/a-b-z', true],
    ['live/d.mo', 'live/demo', false],
    ['live/demo', 'live/demo', true],
    ['live/demo', 'live/demo2', false],
  ])('%s against %s is %s', (pattern, broadcast, fits) => {
    expect(new BroadcastPattern(pattern).matches(broadcast)).toBe(fits);
  });

  it('is the more specific the more it fixes', () => {
    const [any, app, prefix, exact] = ['*', 'live/*', 'live/demo-*', 'live/d'].map(
      (text) => new BroadcastPattern(text),
    );
    expect(app!.specificity).toBeGreaterThan(any!.specificity);
    expect(prefix!.specificity).toBeGreaterThan(app!.specificity);
    expect(exact!.specificity).toBeGreaterThan(prefix!.specificity);
  });
});
