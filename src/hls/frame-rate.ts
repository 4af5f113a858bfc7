/** Frame rates that cameras and encoders really use. */
const COMMON_RATES = [
  10,
  12,
  12.5,
  15,
  20,
  24000 / 1001,
  24,
  25,
  30000 / 1001,
  30,
  48,
  50,
  60000 / 1001,
  60,
  90,
  100,
  120,
  144,
  240,
] as const;

const MIN_RATE = 1;
const MAX_RATE = 240;

/** How near a measured rate must be to a declared or a common one to be taken for it. */
const TOLERANCE = 0.02;

/**
 * The frame rate that a playlist may state: the declared one if the measurement agrees, else the nearest common one,
 * else what was measured; `undefined` if that is no rate that a player should believe.
 */
export function plausibleFrameRate(measured: number, declared: number | undefined): number | undefined {
  if (!(measured >= MIN_RATE && measured <= MAX_RATE)) return undefined;
  const near = (rate: number): boolean => Math.abs(rate - measured) <= measured * TOLERANCE;
  if (declared !== undefined && near(declared)) return declared;
  const distance = (rate: number): number => Math.abs(rate - measured);
  const common = COMMON_RATES.filter(near).sort((a, b) => distance(a) - distance(b))[0];
  return common ?? Math.round(measured * 1000) / 1000;
}
