import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ladder, parseLadder } from '../../src/ladder/ladder.ts';
import { LadderStore } from '../../src/ladder/ladder-store.ts';
import type { RenditionSpec } from '../../src/ladder/rendition.ts';
import { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';

let folder: string;
let stateFile: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'laddercast-ladder-'));
  stateFile = path.join(folder, 'data', 'ladders.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const rung = (name: string, audioBitrateKbps = 96): RenditionSpec => ({
  name,
  width: 640,
  height: 360,
  videoBitrateKbps: 500,
  audioBitrateKbps,
});

const ladder = (name: string, match: string[], rungs: RenditionSpec[]): Ladder => ({ name, match, renditions: rungs });
const base = ladder('default', ['*'], [rung('high', 128), rung('low')]);
const open = (ladders: Ladder[] = [base], logger = silentLogger): Promise<LadderStore> =>
  LadderStore.open({ ladders, stateFile, logger });
const names = (specs: readonly RenditionSpec[]): string[] => specs.map(({ name }) => name);

const code = async (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => 'no error',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );

describe('the ladder store', () => {
  it('adds the audio that all rungs share, at the highest bitrate of the ladder', async () => {
    const store = await open();
    expect(store.renditionsFor('live/demo').at(-1)).toEqual({ name: 'audio', audioBitrateKbps: 128 });
    await store.add(rung('studio', 256));
    expect(store.renditionsFor('live/demo').at(-1)).toEqual({ name: 'audio', audioBitrateKbps: 256 });
  });

  it('gives audio a usual bitrate where no rung says anything', async () => {
    const store = await open([ladder('l', ['*'], [{ name: 'original', factory: 'passthrough' }])]);
    expect(store.renditionsFor('live/demo').at(-1)?.audioBitrateKbps).toBe(128);
  });

  it('takes the ladder that matches most closely, the first one of equals, and none if none matches', async () => {
    const store = await open([
      ladder('any-app', ['live/*', 'radio/*'], [rung('a')]),
      ladder('twin', ['live/*'], [rung('b')]),
      ladder('sports', ['live/sports-*'], [rung('c')]),
      ladder('final', ['live/sports-final'], [rung('d')]),
    ]);
    expect(names(store.renditionsFor('live/x'))).toEqual(['a', 'audio']);
    expect(names(store.renditionsFor('live/sports-1'))).toEqual(['c', 'audio']);
    expect(names(store.renditionsFor('live/sports-final'))).toEqual(['d', 'audio']);
    expect(store.renditionsFor('other/x')).toEqual([]);
  });

  it('keeps the identity of what did not change', async () => {
    const store = await open();
    const before = store.renditionsFor('live/demo');
    expect(store.renditionsFor('live/other')).toBe(before);
    await store.add(rung('mid'));
    const after = store.renditionsFor('live/demo');
    expect(names(after)).toEqual(['high', 'low', 'mid', 'audio']);
    for (const spec of before) expect(after).toContain(spec);
    await store.remove('low');
    expect(store.renditionsFor('live/demo')[1]).toBe(after[2]);
  });

  it('tells of each change once it is in force', async () => {
    const store = await open();
    const seen: string[][] = [];
    store.changed$.subscribe(() => seen.push(names(store.renditionsFor('live/demo'))));
    await store.add(rung('mid'));
    await store.remove('high');
    expect(seen).toEqual([
      ['high', 'low', 'mid', 'audio'],
      ['low', 'mid', 'audio'],
    ]);
  });

  it('keeps changes across a restart, those to ladders that are not configured now included', async () => {
    const other = ladder('other', ['other/*'], [rung('x')]);
    const first = await open([base, other]);
    await first.add(rung('mid'));
    await first.add(rung('y'), 'other');
    await first.remove('low');
    const second = await open([base]);
    expect(names(second.renditionsFor('live/demo'))).toEqual(['high', 'mid', 'audio']);
    await second.remove('high');
    const third = await open([base, other]);
    expect(names(third.renditionsFor('live/demo'))).toEqual(['mid', 'audio']);
    expect(names(third.renditionsFor('other/x'))).toEqual(['x', 'y', 'audio']);
  });

  it('lets a removed rung of the file come back with other settings', async () => {
    const first = await open();
    await first.remove('low');
    await first.add({ ...rung('low'), height: 180 });
    expect((await open()).renditionsFor('live/demo').find(({ name }) => name === 'low')?.height).toBe(180);
    await first.remove('low');
    expect(names((await open()).renditionsFor('live/demo'))).toEqual(['high', 'audio']);
  });

  it('refuses names that are taken, reserved or unknown, and bad specs', async () => {
    const store = await open();
    const text = JSON.stringify(store.list());
    expect(await code(store.add(rung('low')))).toBe('CONFLICT');
    expect(await code(store.add(rung('source')))).toBe('CONFLICT');
    expect(await code(store.add(rung('audio')))).toBe('CONFLICT');
    expect(await code(store.add(rung('../x')))).toBe('BAD_REQUEST');
    expect(await code(store.add({ ...rung('x'), width: 0 }))).toBe('BAD_REQUEST');
    expect(await code(store.add(rung('x'), 'nope'))).toBe('NOT_FOUND');
    expect(await code(store.remove('nope'))).toBe('NOT_FOUND');
    expect(await code(store.remove('__proto__'))).toBe('NOT_FOUND');
    expect(JSON.stringify(store.list())).toBe(text);
  });

  it('asks which ladder is meant when several have the rung', async () => {
    const store = await open([base, ladder('other', ['other/*'], [rung('low')])]);
    expect(await code(store.remove('low'))).toBe('CONFLICT');
    await store.remove('low', 'other');
    await store.remove('low');
    expect(store.list().map(({ renditions }) => names(renditions))).toEqual([['high'], []]);
  });

  it('holds at most 32 rungs a ladder', async () => {
    const store = await open();
    for (let index = 0; index < 30; index += 1) await store.add(rung(`r${index}`));
    expect(await code(store.add(rung('one-more')))).toBe('LIMIT_REACHED');
  });

  it('makes one of many simultaneous equal additions, and saves all different ones', async () => {
    const store = await open();
    const equal = await Promise.all(Array.from({ length: 5 }, () => code(store.add(rung('same')))));
    expect(equal.sort()).toEqual(['CONFLICT', 'CONFLICT', 'CONFLICT', 'CONFLICT', 'no error']);
    await Promise.all(['a', 'b', 'c'].map((name) => store.add(rung(name))));
    expect(names((await open()).renditionsFor('live/demo'))).toEqual(['high', 'low', 'same', 'a', 'b', 'c', 'audio']);
  });

  it('does not change if a change cannot be saved', async () => {
    writeFileSync(path.join(folder, 'plain'), '');
    const blocked = path.join(folder, 'plain', 'ladders.json');
    // A state file below a plain file can neither be read nor written.
    expect(await code(LadderStore.open({ ladders: [base], stateFile: blocked, logger: silentLogger }))).toBe(
      'BAD_CONFIG',
    );
    const store = await open();
    writeFileSync(path.join(folder, 'data'), '');
    expect(await code(store.add(rung('mid')))).toBe('UNAVAILABLE');
    expect(names(store.renditionsFor('live/demo'))).toEqual(['high', 'low', 'audio']);
    rmSync(path.join(folder, 'data'));
    expect(await code(store.add(rung('mid')))).toBe('no error');
  });

  it.each([
    ['half a file', '{"version":1,"ladders":{"def'],
    ['another shape', '{"version":2}'],
    ['a rung that is not one', '{"version":1,"ladders":{"default":{"added":[{"name":"a","width":-1}],"removed":[]}}}'],
    ['nothing', ''],
  ])('sets a damaged state file aside (%s) and starts with the ladder files', async (_what, text) => {
    await (await open()).add(rung('mid'));
    writeFileSync(stateFile, text);
    const errors: object[] = [];
    const store = await open([base], { ...silentLogger, error: (fields) => errors.push(fields) });
    expect(names(store.renditionsFor('live/demo'))).toEqual(['high', 'low', 'audio']);
    expect(errors).toMatchObject([{ file: stateFile, aside: `${stateFile}.damaged` }]);
    expect(readFileSync(`${stateFile}.damaged`, 'utf8')).toBe(text);
    await store.add(rung('mid'));
    expect(names((await open()).renditionsFor('live/demo'))).toContain('mid');
  });

  it('leaves no temporary files behind', async () => {
    const store = await open();
    await store.add(rung('mid'));
    await store.remove('mid');
    expect(readdirSync(path.join(folder, 'data'))).toEqual(['ladders.json']);
  });

  it('reads ladders as files give them', async () => {
    const store = await open([parseLadder('toml', '[[rendition]]\nname = "sound"\naudioBitrateKbps = 48\n', 'toml')]);
    expect(store.renditionsFor('live/a')).toEqual([
      { name: 'sound', audioBitrateKbps: 48 },
      { name: 'audio', audioBitrateKbps: 48 },
    ]);
  });
});
