import type { Rule } from '../judge.ts';
import { BLOCKING_RULES } from './blocking-rules.ts';
import { CONTROL_RULES } from './control-rules.ts';
import { DELTA_RULES } from './delta-rules.ts';
import { HINT_RULES } from './hint-rules.ts';
import { LADDER_RULES } from './ladder-rules.ts';
import { PART_RULES } from './part-rules.ts';
import { SYNC_RULES } from './sync-rules.ts';
import { TRANSPORT_RULES } from './transport-rules.ts';
import { WINDOW_RULES } from './window-rules.ts';

/** Every item of the checklist, in its order. */
export const RULES: readonly Rule[] = [
  ...PART_RULES,
  ...CONTROL_RULES,
  ...WINDOW_RULES,
  ...BLOCKING_RULES,
  ...DELTA_RULES,
  ...HINT_RULES,
  ...SYNC_RULES,
  ...LADDER_RULES,
  ...TRANSPORT_RULES,
].toSorted((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));
