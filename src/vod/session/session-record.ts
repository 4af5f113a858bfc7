import { createHash, randomBytes } from 'node:crypto';
import type { TrackChoice } from './track-choice.ts';

/** What is kept of a session over restarts. Times are ms, those of day since the Unix epoch. */
export interface SessionRecord extends TrackChoice {
  readonly id: string;
  /** As it was asked for: may hold credentials. */
  readonly source: string;
  /** For people; holds no secret. */
  readonly label: string;
  /** Tells the source's very bytes from all others. */
  readonly sourceKey: string;
  readonly user: string | undefined;
  readonly durationMs: number;
  readonly positionMs: number;
  readonly startedAtMs: number;
  /** When it was last asked for anything. */
  readonly seenAtMs: number;
}

/** 128 random bits: whoever knows it may play. */
export function newSessionId(): string {
  return randomBytes(16).toString('base64url');
}

/** True for text that may be an id. */
export function isSessionId(text: string): boolean {
  return /^[A-Za-z0-9_-]{22}$/.test(text);
}

/** Stands for `MediaSource.identity`, which may hold secrets. */
export function sourceKeyOf(identity: string): string {
  return createHash('sha256').update(identity).digest('hex').slice(0, 32);
}

/** Two requests with the same key are of the same session. */
export function sessionKey({
  user,
  sourceKey,
  audio,
  subtitles,
}: Pick<SessionRecord, 'user' | 'sourceKey' | 'audio' | 'subtitles'>): string {
  return JSON.stringify([user ?? null, sourceKey, audio ?? null, subtitles ?? null]);
}

/**
 * Reads what `formatRecords` wrote, maybe in another version of this program: rows that make no sense are left out.
 * @throws Error if it is nothing of the kind
 */
export function parseRecords(text: string): SessionRecord[] {
  const { version, sessions } = JSON.parse(text) as { version?: unknown; sessions?: unknown };
  if (version !== 1 || !Array.isArray(sessions)) throw new Error('it has an unknown format');
  return (sessions as unknown[]).filter(isRecord);
}

/** The content of a file of records. */
export function formatRecords(sessions: readonly SessionRecord[]): string {
  return JSON.stringify({ version: 1, sessions });
}

function isRecord(row: unknown): row is SessionRecord {
  if (typeof row !== 'object' || row === null) return false;
  const { id, source, label, sourceKey, user, audio, subtitles, ...rest } = row as Record<string, unknown>;
  return (
    typeof id === 'string' &&
    isSessionId(id) &&
    [source, label, sourceKey].every((text) => typeof text === 'string') &&
    (user === undefined || typeof user === 'string') &&
    (audio === undefined || isIndex(audio)) &&
    (subtitles === undefined || subtitles === 'off' || isIndex(subtitles) || isBurn(subtitles)) &&
    ['durationMs', 'positionMs', 'startedAtMs', 'seenAtMs'].every((key) => isTime(rest[key]))
  );
}

function isBurn(value: unknown): boolean {
  return typeof value === 'object' && value !== null && isIndex((value as { burn?: unknown }).burn);
}

function isIndex(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
