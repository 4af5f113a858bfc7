import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ArchiveLine, formatLine } from '../../src/hls/archive-index.ts';
import { LoadedArchives } from '../../src/hls/loaded-archives.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'loaded-'));
});

afterEach(() => rm(root, { recursive: true, force: true }));

/** A recording of ten rows. */
async function archive(id: string): Promise<string> {
  const folder = path.join(root, id);
  await mkdir(folder);
  const row = (msn: number): ArchiveLine => ({
    type: 'row',
    id: 0,
    row: {
      ...{ msn, name: `video-t-${msn}.m4s`, initName: 'video-t-init-0.mp4', durationMs: 2_000, gap: false, bytes: 10 },
      ...{ discontinuity: false, discontinuitySequence: 0, programDateTimeMs: 0, pdtAnchor: false, keyframeBytes: 1 },
    },
  });
  const lines: ArchiveLine[] = [
    { type: 'head', format: 1, broadcast: id, startedAtMs: 0, targetDurationSeconds: 3, sharedAudioRendition: 'audio' },
    { type: 'track', id: 0, rendition: '240p', track: 'video', codec: 'avc1.640015' },
    ...Array.from({ length: 10 }, (_, msn) => row(msn)),
  ];
  await writeFile(path.join(folder, 'index.jsonl'), lines.map(formatLine).join(''));
  return folder;
}

describe('LoadedArchives', () => {
  it('reads a recording once for all who ask', async () => {
    const loaded = new LoadedArchives();
    const folder = await archive('a');
    const [first, second] = await Promise.all([loaded.get('a', folder), loaded.get('a', folder)]);
    expect(second).toBe(first);
    await rm(folder, { recursive: true });
    expect(await loaded.get('a', folder)).toBe(first);
    expect(first.rows).toBe(10);
  });

  it('keeps a bounded number of rows, those of the recordings played last, and one recording in any case', async () => {
    const loaded = new LoadedArchives(25);
    const [a, b, c] = [await archive('a'), await archive('b'), await archive('c')];
    const first = await loaded.get('a', a);
    const second = await loaded.get('b', b);
    expect(await loaded.get('a', a)).toBe(first);
    await loaded.get('c', c);
    expect(loaded.size).toBe(2);
    expect(await loaded.get('a', a)).toBe(first);
    expect(await loaded.get('b', b)).not.toBe(second);
    const small = new LoadedArchives(5);
    expect(await small.get('a', a)).toBe(await small.get('a', a));
  });

  it('forgets what could not be read', async () => {
    const loaded = new LoadedArchives();
    await expect(loaded.get('a', path.join(root, 'a'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(loaded.size).toBe(0);
    expect((await loaded.get('a', await archive('a'))).rows).toBe(10);
  });
});
