import type { EntryFormat } from './encode-profile.ts';

/** Tells what an entry is of. Made with the folder. */
export const FACTS_FILE = 'entry.json';
/** Which segments count. Appended to only, apart from clearing it up. */
export const INDEX_FILE = 'index.jsonl';
/** Its presence says that the entry is complete. */
export const COMPLETE_FILE = '.complete';

/** Suffix of files that are being written. */
export const UNFINISHED = '.tmp';

const NAMES = {
  media: { init: 'init.mp4', segment: ['seg-', '.m4s'] },
  subtitles: { init: 'tracks.json', segment: ['track-', '.vtt'] },
} as const;

/** Name of the file that belongs to all segments of an entry. */
export function initName(format: EntryFormat): string {
  return NAMES[format].init;
}

/** Name of a segment's file. */
export function segmentName(format: EntryFormat, index: number): string {
  const [start, end] = NAMES[format].segment;
  return `${start}${index}${end}`;
}

/** True for the name of a folder that may hold an entry. */
export function isEntryKey(name: string): boolean {
  return /^[0-9a-f]{16}$/.test(name);
}

/** A name for the folder of an entry that is being made or deleted. */
export function passingName(key: string, suffix: string): string {
  return `.${key}-${suffix}`;
}

/** True for what `passingName` gave. */
export function isPassingName(name: string): boolean {
  return /^\.[0-9a-f]{16}-/.test(name);
}
