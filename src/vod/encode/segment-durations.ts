import type { Title } from '../source/title.ts';
import type { VodRendition } from '../vod-rendition.ts';
import { type AudioGrid, audioGrid, unitStart } from './audio-grid.ts';

/** How long each segment of a rendition is, in ticks of 90 kHz: known before any is made, and the same whoever makes it. */
export function segmentDurations(title: Pick<Title, 'plan' | 'audio'>, rendition: VodRendition): readonly number[] {
  if (rendition.kind === 'audio') return audioDurations(audioGrid(title, rendition));
  return differences(title.plan.boundaries);
}

/** As `segmentDurations()`, of a sound. */
export function audioDurations(grid: AudioGrid): readonly number[] {
  return differences(grid.edges.map((unit) => Math.round((unitStart(grid, unit) * 90_000) / grid.sampleRate)));
}

function differences(times: readonly number[]): readonly number[] {
  return times.slice(1).map((time, index) => time - (times[index] ?? 0));
}
