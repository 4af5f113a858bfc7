import { type Static, Type } from 'typebox';
import { MAX_LADDER_RUNGS } from './ladder.ts';
import { RENDITION_NAME_PATTERN, RenditionSpec } from './rendition.ts';

/** What admins changed in one ladder at runtime, on top of its file. */
export const LadderOverlay = Type.Object(
  {
    added: Type.Array(RenditionSpec, { maxItems: MAX_LADDER_RUNGS }),
    /** Names of rungs in the file that are switched off. */
    removed: Type.Array(Type.String({ pattern: RENDITION_NAME_PATTERN }), { maxItems: 1_000 }),
  },
  { additionalProperties: false },
);
export type LadderOverlay = Static<typeof LadderOverlay>;

/** Content of the file in the data folder that holds all overlays, by ladder name. */
export const LadderState = Type.Object(
  { version: Type.Literal(1), ladders: Type.Record(Type.String(), LadderOverlay) },
  { additionalProperties: false },
);
export type LadderState = Static<typeof LadderState>;

const NONE: LadderOverlay = Object.freeze<LadderOverlay>({ added: [], removed: [] });

/** The rungs of a ladder's file with the overlay applied. Specs keep their identity. */
export function applyOverlay(base: readonly RenditionSpec[], overlay: LadderOverlay = NONE): readonly RenditionSpec[] {
  const hidden = new Set([...overlay.removed, ...overlay.added.map(({ name }) => name)]);
  return [...base.filter(({ name }) => !hidden.has(name)), ...overlay.added];
}

/** The overlay with one more rung, whose name must be free. */
export function withAdded(overlay: LadderOverlay = NONE, spec: RenditionSpec): LadderOverlay {
  return { ...overlay, added: [...overlay.added, spec] };
}

/** The overlay with a rung gone, be it from the file or added at runtime. */
export function withRemoved(
  overlay: LadderOverlay = NONE,
  name: string,
  base: readonly RenditionSpec[],
): LadderOverlay {
  const inFile = base.some((spec) => spec.name === name);
  return {
    added: overlay.added.filter((spec) => spec.name !== name),
    removed: inFile && !overlay.removed.includes(name) ? [...overlay.removed, name] : overlay.removed,
  };
}
