import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { type Static, Type } from 'typebox';
import { writeFileAtomically } from '../../util/atomic-file.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import { checkSchema } from '../../util/schema-check.ts';
import type { TitleFacts } from './scan-source.ts';

/** Version of the format, and of how sources are looked at: others are looked at anew. */
const FORMAT = 1;
const MAX_TITLES = 1_000;
/** A title of 20,000 segments has some 600 kB. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_SEGMENTS = 25_000;

const integer = Type.Integer({ minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER });
const rate = Type.Number({ exclusiveMinimum: 0 });
const name = Type.String({ maxLength: 1_000 });
const labels = { language: Type.Optional(name), title: Type.Optional(name), isDefault: Type.Boolean() };
const times = (maxItems: number): ReturnType<typeof Type.Array<typeof integer>> => Type.Array(integer, { maxItems });

const StoredTitle = Type.Object({
  format: Type.Literal(FORMAT),
  targetTicks: integer,
  facts: Type.Object({
    format: name,
    startTicks: integer,
    durationTicks: Type.Integer({ minimum: 1 }),
    video: Type.Optional(
      Type.Object({
        streamIndex: integer,
        codec: name,
        width: Type.Integer({ minimum: 1 }),
        height: Type.Integer({ minimum: 1 }),
        frameRate: rate,
        isInterlaced: Type.Boolean(),
        isHdr: Type.Boolean(),
        bitrate: Type.Optional(rate),
        copy: Type.Optional(
          Type.Object({
            codec: name,
            averageBandwidth: rate,
            bandwidth: rate,
            reorderTicks: Type.Number({ minimum: 0 }),
          }),
        ),
        copyObjection: Type.Optional(name),
      }),
    ),
    audio: Type.Array(
      Type.Object({
        ...labels,
        streamIndex: integer,
        codec: name,
        profile: Type.Optional(name),
        channels: Type.Integer({ minimum: 1 }),
        sampleRate: rate,
        bitrate: Type.Optional(rate),
        startTicks: integer,
      }),
      { maxItems: 64 },
    ),
    subtitles: Type.Array(
      Type.Object({
        ...labels,
        streamIndex: integer,
        codec: name,
        kind: Type.Union([Type.Literal('text'), Type.Literal('picture')]),
        isForced: Type.Boolean(),
        isForHearingImpaired: Type.Boolean(),
      }),
      { maxItems: 64 },
    ),
    plan: Type.Object({
      boundaries: Type.Array(integer, { minItems: 2, maxItems: MAX_SEGMENTS }),
      keyframes: Type.Optional(times(2 * MAX_SEGMENTS)),
      atKeyframes: Type.Boolean(),
    }),
  }),
});

/** Keeps what is known of sources across restarts: a file for each, at most 1,000. What cannot be kept is only logged. */
export class TitleStore {
  readonly #folder: string;
  readonly #targetTicks: number;
  readonly #logger: Logger;

  /** @param targetTicks titles that were planned for another segment duration are not there */
  constructor(folder: string, targetTicks: number, logger: Logger) {
    this.#folder = folder;
    this.#targetTicks = targetTicks;
    this.#logger = logger;
  }

  /** What is known of a source, by its key; `undefined` if nothing is, or nothing that makes sense. */
  async load(key: string): Promise<TitleFacts | undefined> {
    const file = this.#fileOf(key);
    try {
      const { size } = await stat(file);
      if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes`);
      const stored = parse(await readFile(file, 'utf8'), file);
      if (stored.targetTicks !== this.#targetTicks) return undefined;
      await utimes(file, new Date(), new Date());
      // JSON has no undefined: what is not known is left out.
      return deepFreeze(stored.facts as unknown as TitleFacts);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      this.#logger.warn({ file, reason: reasonOf(error) }, 'stored facts about a source not usable');
      return undefined;
    }
  }

  /** Keeps what is known of a source; the titles that were used longest ago make room. */
  async save(key: string, facts: TitleFacts): Promise<void> {
    const file = this.#fileOf(key);
    const stored = { format: FORMAT, targetTicks: this.#targetTicks, facts } satisfies Record<keyof Stored, unknown>;
    try {
      await mkdir(this.#folder, { recursive: true });
      await writeFileAtomically(file, `${JSON.stringify(stored)}\n`);
      await this.#makeRoom();
    } catch (error) {
      this.#logger.warn({ file, reason: reasonOf(error) }, 'facts about a source not stored');
    }
  }

  /** Forgets a source. */
  async delete(key: string): Promise<void> {
    await rm(this.#fileOf(key), { force: true });
  }

  #fileOf(key: string): string {
    return path.join(this.#folder, `${key}.json`);
  }

  async #makeRoom(): Promise<void> {
    const names = await readdir(this.#folder);
    if (names.length <= MAX_TITLES) return;
    const files = await Promise.all(
      names.map(async (entry) => {
        const file = path.join(this.#folder, entry);
        return { file, usedMs: (await stat(file)).mtimeMs };
      }),
    );
    files.sort((one, other) => one.usedMs - other.usedMs);
    for (const { file } of files.slice(0, files.length - MAX_TITLES)) await rm(file, { force: true });
  }
}

type Stored = Static<typeof StoredTitle>;

function parse(text: string, file: string): Stored {
  const stored = checkSchema(StoredTitle, JSON.parse(text), { subject: file, code: 'INTERNAL' });
  const { boundaries, keyframes = [] } = stored.facts.plan;
  if (!isAscending(boundaries) || !isAscending(keyframes)) throw new Error('its times do not ascend');
  return stored;
}

function isAscending(times: readonly number[]): boolean {
  return times.every((time, index) => index === 0 || time > (times[index - 1] ?? time));
}
