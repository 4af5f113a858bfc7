import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { type EncodeProfile, entryKey, profileHash, sha256 } from './encode-profile.ts';

const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Label = Type.String({ maxLength: 4_096 });

const Facts = Type.Object({
  version: Type.Literal(1),
  key: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  format: Type.Union([Type.Literal('media'), Type.Literal('subtitles')]),
  /** Hashes, since what they are made from may hold secrets. */
  profile: Hash,
  source: Hash,
  place: Type.Optional(Hash),
  sourceLabel: Label,
  quality: Label,
  audioIndex: Type.Integer({ minimum: -1, maximum: 10_000 }),
  initHash: Hash,
  initBytes: Type.Integer({ minimum: 0, maximum: 64 * 1024 * 1024 }),
  segmentCount: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  createdAtMs: Type.Number(),
});

/** What `entry.json` says. */
export type EntryFacts = Static<typeof Facts>;

/** The facts of a new entry. */
export function newFacts(
  profile: EncodeProfile,
  { segmentCount, init, nowMs }: { segmentCount: number; init: Buffer; nowMs: number },
): EntryFacts {
  const initHash = sha256(init);
  return {
    version: 1,
    key: entryKey(profile, initHash),
    format: profile.format ?? 'media',
    profile: profileHash(profile),
    source: sha256(profile.source),
    ...(profile.place !== undefined && { place: sha256(profile.place) }),
    sourceLabel: profile.sourceLabel.slice(0, 4_096),
    quality: profile.quality,
    audioIndex: profile.audioIndex,
    initHash,
    initBytes: init.length,
    segmentCount,
    createdAtMs: nowMs,
  };
}

/** The content of `entry.json`. */
export function formatFacts(facts: EntryFacts): string {
  return `${JSON.stringify(facts, null, 1)}\n`;
}

/** Reads it; `undefined` if it is damaged. */
export function parseFacts(text: string): EntryFacts | undefined {
  try {
    const facts: unknown = JSON.parse(text);
    return Value.Check(Facts, facts) ? facts : undefined;
  } catch {
    return undefined;
  }
}
