import { LADDER_TIMESCALE } from '../../media/fragment.ts';

const MAX_BACK_TICKS = 0.5 * LADDER_TIMESCALE;
const MAX_HOLE_TICKS = 10 * LADDER_TIMESCALE;

/** Whether times that step by so much, in ticks of 90 kHz, do not go on: more than half a second back, or 10 s forwards. */
export function isTimeBreak(stepTicks: number): boolean {
  return stepTicks < -MAX_BACK_TICKS || stepTicks > MAX_HOLE_TICKS;
}
