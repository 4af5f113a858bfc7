import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findSidecars } from '../../../src/vod/source/sidecars.ts';
import type { SubtitleFacts } from '../../../src/vod/source/title.ts';
import { sourceOf, temporaryFolder } from '../../support/films.ts';

/** What is found beside `film.mkv` among files of these names. */
async function beside(...names: readonly string[]): Promise<SubtitleFacts[]> {
  const folder = await temporaryFolder();
  for (const name of ['film.mkv', ...names]) await writeFile(path.join(folder, name), 'x');
  const found = await findSidecars(await sourceOf(path.join(folder, 'film.mkv')));
  return found.map((facts) => ({ ...facts, sidecarPath: path.relative(folder, facts.sidecarPath ?? '') }));
}

describe('findSidecars', () => {
  it('reads what names tell', async () => {
    const text = { streamIndex: undefined, kind: 'text' };
    const none = {
      language: undefined,
      title: undefined,
      isDefault: false,
      isForced: false,
      isForHearingImpaired: false,
    };
    expect(await beside('film.srt', 'film.ger.ass', 'film.en.Forced.vtt', 'film.Regie.pt-BR.sdh.default.SSA')).toEqual([
      {
        ...text,
        ...none,
        codec: 'ass',
        isDefault: true,
        isForHearingImpaired: true,
        language: 'pt-BR',
        title: 'Regie',
        sidecarPath: 'film.Regie.pt-BR.sdh.default.SSA',
      },
      { ...text, ...none, codec: 'webvtt', isForced: true, language: 'en', sidecarPath: 'film.en.Forced.vtt' },
      { ...text, ...none, codec: 'ass', language: 'de', sidecarPath: 'film.ger.ass' },
      { ...text, ...none, codec: 'subrip', sidecarPath: 'film.srt' },
    ]);
  });

  it('leaves out other files', async () => {
    expect(await beside('film2.srt', 'filmed.de.srt', 'other.srt', 'film.txt', 'film.srt.bak', 'film')).toEqual([]);
  });

  it('finds 32 at most', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `film.${index}.srt`);
    expect(await beside(...names)).toHaveLength(32);
  });

  it('takes only regular files of the same folder, neither empty nor huge', async () => {
    const folder = await temporaryFolder();
    const inFolder = (name: string): string => path.join(folder, name);
    const elsewhere = path.join(await temporaryFolder(), 'secret.srt');
    await writeFile(elsewhere, 'x');
    await writeFile(inFolder('film.mkv'), 'x');
    await symlink(elsewhere, inFolder('film.srt'));
    await mkdir(inFolder('film.de.srt'));
    await writeFile(inFolder('film.en.srt'), '');
    await writeFile(inFolder('film.fr.srt'), 'x');
    await truncate(inFolder('film.fr.srt'), 16 * 1024 * 1024 + 1);
    await writeFile(inFolder('film.it.srt'), 'x');
    await truncate(inFolder('film.it.srt'), 16 * 1024 * 1024);
    expect(await findSidecars(await sourceOf(inFolder('film.mkv')))).toMatchObject([{ language: 'it' }]);
  });

  it('finds none beside a source on a web server, or in a folder that has gone', async () => {
    const folder = await temporaryFolder();
    const film = path.join(folder, 'film.mkv');
    await writeFile(film, 'x');
    await writeFile(path.join(folder, 'film.srt'), 'x');
    expect(await findSidecars(await sourceOf(film, 'http'))).toEqual([]);
    const gone = { ...(await sourceOf(film)), path: path.join(folder, 'gone', 'film.mkv') };
    expect(await findSidecars(gone)).toEqual([]);
  });
});
