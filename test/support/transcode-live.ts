import { readFileSync } from 'node:fs';
import { BroadcasterRegistry } from '../../src/broadcast/registry.ts';
import type { FragmentSink } from '../../src/broadcast/fragment-broadcaster.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import { TranscodeRunner } from '../../src/transcode/runner.ts';
import type { TranscoderFactory } from '../../src/transcode/transcoder.ts';
import type { TranscodeRow } from '../../src/transcode/transcode-row.ts';
import type { RenditionSpec } from '../../src/ladder/rendition.ts';
import { systemClock } from '../../src/util/clock.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { softwareFactory } from './transcode-run.ts';
import { EditableLadder } from './transcode-rig.ts';

/** One fragment of an output, and when it came. */
export interface Arrival {
  readonly fragment: Fragment;
  readonly atMs: number;
}

/** A runner with real ffmpeg children on the real clock. */
export class LiveTranscoding {
  readonly registry = new BroadcasterRegistry();
  readonly ladder: EditableLadder;
  readonly outputs = new Map<string, Arrival[]>();
  readonly runner: TranscodeRunner;
  opened = 0;

  private constructor(ladder: EditableLadder, runner: (registry: BroadcasterRegistry) => TranscodeRunner) {
    this.ladder = ladder;
    this.registry.opened$.subscribe((track) => {
      if (track.key.rendition === 'source') return;
      this.opened += 1;
      const arrivals = this.outputs.get(track.key.rendition) ?? [];
      this.outputs.set(track.key.rendition, arrivals);
      track.fragments$.subscribe((fragment) => arrivals.push({ fragment, atMs: performance.now() }));
    });
    this.runner = runner(this.registry);
  }

  static async open(...specs: RenditionSpec[]): Promise<LiveTranscoding> {
    return LiveTranscoding.with(await softwareFactory(), ...specs);
  }

  static with(factory: TranscoderFactory, ...specs: RenditionSpec[]): LiveTranscoding {
    const ladders = new EditableLadder(...specs);
    const shared = { ladders, factories: [factory], clock: systemClock, logger: silentLogger };
    return new LiveTranscoding(ladders, (registry) => new TranscodeRunner({ registry, ...shared }));
  }

  source(first: Fragment): FragmentSink {
    return this.registry.open({ broadcast: 'live/demo', rendition: 'source', track: first.init.kind }, first.init);
  }

  row(rendition: string): TranscodeRow | undefined {
    return this.runner.list().find((row) => row.rendition === rendition);
  }

  fragments(rendition: string): Fragment[] {
    return (this.outputs.get(rendition) ?? []).map(({ fragment }) => fragment);
  }
}

/** Emits the fragments at the pace of their own times, `speed` times as fast. */
export async function play(
  fragments: readonly Fragment[],
  emit: (fragment: Fragment, index: number) => void,
  speed = 1,
): Promise<void> {
  const startedAtMs = performance.now();
  const [first] = fragments;
  for (const [index, fragment] of fragments.entries()) {
    const dueMs = ((fragment.baseDecodeTime - first!.baseDecodeTime) * 1000) / fragment.init.timescale / speed;
    const waitMs = startedAtMs + dueMs - performance.now();
    if (waitMs > 1) await systemClock.wait(waitMs);
    emit(fragment, index);
  }
}

/** True while the process exists and is no zombie. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
