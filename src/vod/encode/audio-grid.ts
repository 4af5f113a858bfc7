import type { Title } from '../source/title.ts';
import type { VodAudio } from '../vod-rendition.ts';

/** Samples of one access unit of AAC-LC. */
export const UNIT_SAMPLES = 1024;

/** Where the access units of a sound lie: number `k` starts at `origin + k * 1024` samples from the title's start. */
export interface AudioGrid {
  readonly sampleRate: number;
  /** From 0 to 1023. */
  readonly origin: number;
  /** Segment `n` is made of the units from `edges[n]` on, before `edges[n + 1]`. */
  readonly edges: readonly number[];
}

/**
 * Whole access units whose edges are as near as can be to those of the picture; the last segment reaches the end. A sound
 * that is encoded has its units at multiples of 1024 samples, one that is copied has them where its first one tells.
 */
export function audioGrid({ plan, audio }: Pick<Title, 'plan' | 'audio'>, rendition: VodAudio): AudioGrid {
  const { sampleRate, mode, trackIndex } = rendition;
  const startTicks = mode === 'copy' ? (audio[trackIndex]?.startTicks ?? 0) : 0;
  const phase = Math.round((startTicks * sampleRate) / 90_000) % UNIT_SAMPLES;
  const origin = phase < 0 ? phase + UNIT_SAMPLES : phase;
  const edges: number[] = [];
  plan.boundaries.forEach((ticks, index) => {
    const units = ((ticks * sampleRate) / 90_000 - origin) / UNIT_SAMPLES;
    const nearest = index === plan.boundaries.length - 1 ? Math.ceil(units) : Math.round(units);
    edges.push(Math.max(nearest, index === 0 ? -1 : (edges[index - 1] ?? 0) + 1));
  });
  return { sampleRate, origin, edges };
}

/** When a unit starts, in samples from the title's start. */
export function unitStart({ origin }: AudioGrid, unit: number): number {
  return origin + unit * UNIT_SAMPLES;
}
