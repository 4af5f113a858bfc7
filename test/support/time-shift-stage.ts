import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { LiveStore } from '../../src/cache/live-store.ts';
import { Archives } from '../../src/hls/archives.ts';
import type { HlsOptions } from '../../src/hls/hls-options.ts';
import type { MediaFile } from '../../src/hls/media-file.ts';
import { SequenceStore } from '../../src/hls/sequence-store.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { audioFrames, audioInit, videoFrames, videoInit } from './hls-fragments.ts';
import { HlsStage } from './hls-stage.ts';
import { until } from './poll.ts';

/** Bytes. */
export const MB = 1024 * 1024;

/** The larger picture. */
export const high = videoInit({ width: 1280, height: 720, bytes: Buffer.from('720p') });
/** The smaller picture. */
export const low = videoInit({ width: 426, height: 240, codec: 'avc1.640015', bytes: Buffer.from('240p') });
/** The sound. */
export const aac = audioInit();

/** All tracks that are packaged. */
export const TRACKS = [
  ['720p', 'video'],
  ['240p', 'video'],
  ['audio', 'audio'],
] as const;

interface Disk {
  readonly store: LiveStore;
  readonly archives: Archives;
  readonly sequences: SequenceStore;
  readonly settings: () => { dvrMs: number; archive: boolean };
}

let folder: string;
let opened: { close(): Promise<void> }[] = [];

/** Gives each test of the file a folder of its own, and closes what it opened. */
export function useTimeShiftFolder(): void {
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'time-shift-'));
  });

  afterEach(async () => {
    for (const each of opened.reverse()) await each.close();
    opened = [];
    await rm(folder, { recursive: true, force: true });
  });
}

/** The folder of the running test. */
export function testFolder(): string {
  return folder;
}

/** Opens what a stage keeps on disk. */
export async function openDisk({ dvrMs = 60_000, archive = false, maxBroadcastBytes = 100 * MB } = {}): Promise<Disk> {
  const clock = new HlsStage().clock;
  const logger = silentLogger;
  const store = await LiveStore.open({
    root: path.join(folder, 'live'),
    maxBytes: 100 * MB,
    maxBroadcastBytes,
    logger,
  });
  const archives = await Archives.open({ root: path.join(folder, 'archives'), maxBytes: 100 * MB, clock, logger });
  const sequences = await SequenceStore.open({ file: path.join(folder, 'sequences.json'), clock, logger });
  opened.push(sequences, archives, store);
  return { store, archives, sequences, settings: () => ({ dvrMs, archive }) };
}

/** A stage on which all tracks are open. */
export function openStage(disk: Partial<Disk>, options: Partial<HlsOptions> = {}): HlsStage {
  const stage = new HlsStage({ windowSegments: 6, ...options }, 'live/demo', disk);
  stage.open('source', high);
  stage.open('source', aac);
  stage.open('720p', high);
  stage.open('240p', low);
  stage.open('audio', aac);
  opened.push(stage.origin);
  return stage;
}

interface Span {
  readonly from?: number;
  readonly to: number;
  readonly epoch?: number;
}

/** What all tracks get in a span of time, in seconds. */
export function ladder(span: Span): Record<string, Fragment[]> {
  const audio = audioFrames({ init: aac, ...span });
  return {
    source: videoFrames({ init: high, ...span }),
    'source#audio': audio,
    '720p': videoFrames({ init: high, lateMs: 100, ...span }),
    '240p': videoFrames({ init: low, lateMs: 60, ...span }),
    audio,
  };
}

/** Plays as a publisher would: the disk has its time in between. */
export async function play(stage: HlsStage, disk: Partial<Disk>, { from = 0, to, ...rest }: Span): Promise<void> {
  for (let at = from; at < to; at += 20) {
    stage.play(ladder({ from: at, to: Math.min(to, at + 20), ...rest }));
    await until('the disk', () => disk.store?.stats.queuedBytes === 0);
  }
}

/** Closes all tracks. */
export function endPublisher(stage: HlsStage): void {
  stage.close('source', 'video');
  stage.close('source', 'audio');
  for (const [rendition, track] of TRACKS) stage.close(rendition, track);
}

/** Lines of a playlist that match. */
export const lines = (text: string, pattern: RegExp): string[] => text.split('\n').filter((line) => pattern.test(line));
/** Names of the segments of a playlist. */
export const segments = (text: string): string[] => lines(text, /^(video|audio)-[a-z0-9]+-\d+\.m4s$/);
/** Media sequence numbers of the segments of a playlist. */
export const numbers = (text: string): number[] => segments(text).map((name) => Number(/(\d+)\.m4s$/.exec(name)?.[1]));
/** The number that a playlist begins with. */
export const firstMsn = (text = ''): number => Number(/MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]);

/** A file that a playlist names. */
export function media(stage: HlsStage, rendition: string, track: 'video' | 'audio', name: string): MediaFile {
  const { answer } = stage.requestMedia(rendition, track, name);
  if (answer === undefined || answer instanceof AppError) throw answer ?? new Error(`no answer for ${name}`);
  return answer;
}

/** The bytes of a file. */
export async function content(file: MediaFile): Promise<Buffer> {
  return 'bytes' in file ? file.bytes : readFile(file.path);
}
