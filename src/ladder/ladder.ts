import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { type Static, Type } from 'typebox';
import { deepFreeze } from '../util/deep-freeze.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import { checkSchema } from '../util/schema-check.ts';
import { RenditionSpec } from './rendition.ts';
import { checkRendition } from './rendition-rules.ts';

/** Most rungs that a ladder may have; each is an encoder a broadcast. */
export const MAX_LADDER_RUNGS = 32;

/** What a ladder file (`ladders/*.toml`) holds. */
export const LadderFile = Type.Object(
  {
    match: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 97, pattern: '^[A-Za-z0-9._/*-]+$' }), {
        minItems: 1,
        maxItems: 1_000,
        description: 'Broadcasts that the ladder is for, e.g. `live/*`; all if left out',
      }),
    ),
    rendition: Type.Array(RenditionSpec, { minItems: 1, maxItems: MAX_LADDER_RUNGS }),
  },
  { additionalProperties: false },
);
export type LadderFile = Static<typeof LadderFile>;

/** A named set of rungs and the broadcasts that get it. Immutable. */
export interface Ladder {
  readonly name: string;
  /** Patterns over `app/name`, see `BroadcastPattern`. */
  readonly match: readonly string[];
  readonly renditions: readonly RenditionSpec[];
}

/**
 * Reads a ladder from the text of its file.
 * @throws AppError `BAD_CONFIG` that names the file, the rung and the key.
 */
export function parseLadder(name: string, text: string, file: string): Ladder {
  let content: unknown;
  try {
    content = parseToml(text);
  } catch (error) {
    throw new AppError('BAD_CONFIG', `${file}: ${reasonOf(error).trim()}`, { cause: error });
  }
  const { match = ['*'], rendition } = checkSchema(LadderFile, content, { subject: file });
  const seen = new Set<string>();
  for (const [index, spec] of rendition.entries()) {
    const subject = `${file}, rendition ${index + 1} ("${spec.name}")`;
    checkRendition(spec, subject, 'BAD_CONFIG');
    if (seen.has(spec.name)) throw new AppError('BAD_CONFIG', `${subject}: the name is taken by a rendition above`);
    seen.add(spec.name);
  }
  return deepFreeze({ name, match, renditions: rendition });
}

/**
 * Loads ladders by the name of a file in `folder` (`default` → `default.toml`) or by path; a ladder is named after its file.
 * @throws AppError `BAD_CONFIG` if a file is not there, is faulty, or two ladders have the same name.
 */
export async function loadLadders(references: readonly string[], folder: string): Promise<Ladder[]> {
  const ladders = await Promise.all(references.map((reference) => loadLadder(reference, folder)));
  const names = ladders.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new AppError('BAD_CONFIG', `two ladders are named "${twice}"; rename one file`);
  return ladders;
}

async function loadLadder(reference: string, folder: string): Promise<Ladder> {
  const isPath = /[\\/]|\.toml$/.test(reference);
  const file = isPath ? reference : path.join(folder, `${reference}.toml`);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new AppError('BAD_CONFIG', `ladder "${reference}" cannot be read: ${reasonOf(error)}`, { cause: error });
  }
  return parseLadder(path.basename(file, '.toml'), text, file);
}
