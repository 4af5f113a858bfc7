import { opendir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import type { MediaSource } from './media-source.ts';
import type { SubtitleFacts } from './title.ts';
import { languageOf, trackTitleOf } from './track-labels.ts';

/** As ffprobe calls what files of each extension hold. */
const CODECS = new Map([
  ['.srt', 'subrip'],
  ['.vtt', 'webvtt'],
  ['.ass', 'ass'],
  ['.ssa', 'ass'],
]);
const MAX_SIDECARS = 32;
const MAX_FOLDER_ENTRIES = 20_000;
const MAX_SIDECAR_BYTES = 16 * 1024 * 1024;
/** What a name says besides language and title. */
const FLAGS = new Set(['default', 'forced', 'sdh', 'cc']);

/**
 * The subtitle files beside a film: those of the same name, with what describes them between name and extension, in any
 * order: `film.srt`, `film.de.srt`, `film.en.forced.vtt`. By name; a source on a web server has none.
 */
export async function findSidecars(source: MediaSource): Promise<SubtitleFacts[]> {
  if (source.path === undefined) return [];
  const { dir, name } = path.parse(source.path);
  const found: SubtitleFacts[] = [];
  for (const file of await namesWithPrefix(dir, `${name}.`)) {
    if (found.length === MAX_SIDECARS) break;
    const codec = CODECS.get(path.extname(file).toLowerCase());
    if (codec === undefined || !(await isPlainFile(dir, file))) continue;
    const labels = path.parse(file).name.slice(name.length + 1);
    found.push({ ...describe(labels), streamIndex: undefined, sidecarPath: path.join(dir, file), codec, kind: 'text' });
  }
  return found;
}

async function namesWithPrefix(folder: string, prefix: string): Promise<string[]> {
  const names: string[] = [];
  try {
    let entries = 0;
    for await (const { name } of await opendir(folder)) {
      entries += 1;
      if (entries > MAX_FOLDER_ENTRIES) break;
      if (name.startsWith(prefix)) names.push(name);
    }
  } catch {
    // A film plays without what cannot be listed.
  }
  return names.sort();
}

/** False for what leads out of the folder, too. */
async function isPlainFile(folder: string, name: string): Promise<boolean> {
  try {
    const file = path.join(folder, name);
    if ((await realpath(file)) !== file) return false;
    const { size, isFile } = await stat(file).then((stats) => ({ size: stats.size, isFile: stats.isFile() }));
    return isFile && size > 0 && size <= MAX_SIDECAR_BYTES;
  } catch {
    return false;
  }
}

function describe(labels: string): Omit<SubtitleFacts, 'streamIndex' | 'sidecarPath' | 'codec' | 'kind'> {
  const words = labels.split('.').filter((word) => word !== '');
  const flags = new Set(words.map((word) => word.toLowerCase()).filter((word) => FLAGS.has(word)));
  const others = words.filter((word) => !FLAGS.has(word.toLowerCase()));
  const language = others.find((word) => languageOf(word) !== undefined);
  return {
    language: languageOf(language),
    title: trackTitleOf(others.filter((word) => word !== language).join(' ')),
    isDefault: flags.has('default'),
    isForced: flags.has('forced'),
    isForHearingImpaired: flags.has('sdh') || flags.has('cc'),
  };
}
