import type { Size } from './rung-geometry.ts';

/** What a stream asks of a decoder. */
export interface LevelDemand extends Size {
  readonly frameRate: number;
  /** Peak bitrate and decoder buffer. */
  readonly maxKbps: number;
  readonly bufferKbit: number;
  readonly profile: 'baseline' | 'main' | 'high';
}

interface LevelLimits {
  readonly level: string;
  readonly macroblocksPerSecond: number;
  readonly frameMacroblocks: number;
  readonly maxKbps: number;
  readonly bufferKbit: number;
}

const limits = (
  level: string,
  macroblocksPerSecond: number,
  frameMacroblocks: number,
  maxKbps: number,
  bufferKbit: number,
): LevelLimits => ({ level, macroblocksPerSecond, frameMacroblocks, maxKbps, bufferKbit });

/** ITU-T H.264, table A-1, from level 1.1 up. */
const LEVELS: readonly LevelLimits[] = [
  limits('1.1', 3_000, 396, 192, 500),
  limits('1.2', 6_000, 396, 384, 1_000),
  limits('1.3', 11_880, 396, 768, 2_000),
  limits('2', 11_880, 396, 2_000, 2_000),
  limits('2.1', 19_800, 792, 4_000, 4_000),
  limits('2.2', 20_250, 1_620, 4_000, 4_000),
  limits('3', 40_500, 1_620, 10_000, 10_000),
  limits('3.1', 108_000, 3_600, 14_000, 14_000),
  limits('3.2', 216_000, 5_120, 20_000, 20_000),
  limits('4', 245_760, 8_192, 20_000, 25_000),
  limits('4.1', 245_760, 8_192, 50_000, 62_500),
  limits('4.2', 522_240, 8_704, 50_000, 62_500),
  limits('5', 589_824, 22_080, 135_000, 135_000),
  limits('5.1', 983_040, 36_864, 240_000, 240_000),
  limits('5.2', 2_073_600, 36_864, 240_000, 240_000),
  limits('6', 4_177_920, 139_264, 240_000, 240_000),
  limits('6.1', 8_355_840, 139_264, 480_000, 480_000),
  limits('6.2', 16_711_680, 139_264, 800_000, 800_000),
];

/** The High profile may exceed the table's bitrates by a quarter (H.264, table A-2). */
const HIGH_PROFILE_FACTOR = 1.25;

/** The lowest H.264 level that allows the stream, e.g. `3.1`; the highest there is for what no level allows. */
export function h264Level(demand: LevelDemand): string {
  const [columns, rows] = [Math.ceil(demand.width / 16), Math.ceil(demand.height / 16)];
  const factor = demand.profile === 'high' ? HIGH_PROFILE_FACTOR : 1;
  const fits = (level: LevelLimits): boolean =>
    columns * rows <= level.frameMacroblocks &&
    // No side may be longer than the square root of eight times the frame size (H.264, A.3.1).
    Math.max(columns, rows) ** 2 <= 8 * level.frameMacroblocks &&
    columns * rows * demand.frameRate <= level.macroblocksPerSecond * 1.001 &&
    demand.maxKbps <= level.maxKbps * factor &&
    demand.bufferKbit <= level.bufferKbit * factor;
  return LEVELS.find(fits)?.level ?? '6.2';
}
