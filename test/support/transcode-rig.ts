import { Subject } from 'rxjs';
import { BroadcasterRegistry } from '../../src/broadcast/registry.ts';
import type { FragmentSink } from '../../src/broadcast/fragment-broadcaster.ts';
import type { LadderSource } from '../../src/ladder/ladder-source.ts';
import type { RenditionSpec } from '../../src/ladder/rendition.ts';
import type { Fragment, TrackInit, TrackKind } from '../../src/media/fragment.ts';
import { TranscodeRunner } from '../../src/transcode/runner.ts';
import type { TranscodeRow } from '../../src/transcode/transcode-row.ts';
import type { OptOut, Transcoder, TranscoderContext, TranscoderFactory } from '../../src/transcode/transcoder.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { videoInit } from './fragments.ts';
import { ManualClock } from './manual-clock.ts';

/** A ladder that the test edits. */
export class EditableLadder implements LadderSource {
  readonly changed$ = new Subject<void>();
  #specs: RenditionSpec[];

  constructor(...specs: (RenditionSpec | string)[]) {
    this.#specs = specs.map((spec) => (typeof spec === 'string' ? { name: spec } : spec));
  }

  renditionsFor(): readonly RenditionSpec[] {
    return this.#specs;
  }

  add(spec: RenditionSpec | string): void {
    this.#specs = [...this.#specs, typeof spec === 'string' ? { name: spec } : spec];
    this.changed$.next();
  }

  remove(name: string): void {
    this.#specs = this.#specs.filter((spec) => spec.name !== name);
    this.changed$.next();
  }

  replace(spec: RenditionSpec): void {
    this.#specs = this.#specs.map((old) => (old.name === spec.name ? spec : old));
    this.changed$.next();
  }
}

type Script = Partial<Transcoder> & { readonly optOut?: never };

/** A factory whose transcoders re-emit and record; a test scripts what it wants otherwise. */
export class ScriptedFactory implements TranscoderFactory {
  readonly name: string;
  readonly runs: ScriptedRun[] = [];
  readonly #script: (run: ScriptedRun) => Script | OptOut;

  constructor(name = 'scripted', script: (run: ScriptedRun) => Script | OptOut = () => ({})) {
    this.name = name;
    this.#script = script;
  }

  build(context: TranscoderContext): Transcoder | OptOut {
    const run: ScriptedRun = { index: this.runs.length, context, seen: [], calls: [] };
    const script = this.#script(run);
    if (script.optOut !== undefined) return script;
    this.runs.push(run);
    const call = (name: string, own: (() => void | Promise<void>) | undefined): void | Promise<void> => {
      run.calls.push(name);
      return own?.();
    };
    return {
      ...(script.lifetimeFragments !== undefined && { lifetimeFragments: script.lifetimeFragments }),
      start: () => call('start', script.start),
      push: (fragment) => {
        run.seen.push(fragment);
        if (script.push !== undefined) return script.push(fragment);
        context.emit(fragment);
      },
      stop: () => call('stop', script.stop),
      abort: () => call('abort', script.abort),
      facts: () => script.facts?.() ?? {},
    };
  }
}

/** One run as a test sees it. */
export interface ScriptedRun {
  readonly index: number;
  readonly context: TranscoderContext;
  readonly seen: Fragment[];
  readonly calls: string[];
}

/** A runner with everything around it, on a clock that the test moves. */
export class TranscodeRig {
  readonly registry = new BroadcasterRegistry();
  readonly clock = new ManualClock();
  readonly ladder: EditableLadder;
  readonly runner: TranscodeRunner;

  constructor(ladder: EditableLadder, ...factories: TranscoderFactory[]) {
    this.ladder = ladder;
    this.runner = new TranscodeRunner({
      registry: this.registry,
      ladders: ladder,
      factories,
      clock: this.clock,
      logger: silentLogger,
    });
  }

  /** Opens a source track of `broadcast`. */
  source(broadcast = 'live/demo', track: TrackKind = 'video', init: TrackInit = videoInit()): FragmentSink {
    return this.registry.open({ broadcast, rendition: 'source', track }, init);
  }

  row(rendition: string, factory = 'scripted', broadcast = 'live/demo'): TranscodeRow | undefined {
    return this.runner
      .list()
      .find((row) => row.rendition === rendition && row.factory === factory && row.broadcast === broadcast);
  }

  /** Collects what comes out under the rendition's name, across closing and opening again. */
  output(rendition: string, broadcast = 'live/demo'): CollectedOutput {
    const collected: CollectedOutput = { fragments: [], opened: 0, closed: 0 };
    const isOurs = ({ key }: { key: { broadcast: string; rendition: string } }): boolean =>
      key.broadcast === broadcast && key.rendition === rendition;
    this.registry.opened$.subscribe((track) => {
      if (!isOurs(track)) return;
      collected.opened += 1;
      track.fragments$.subscribe((fragment) => collected.fragments.push(fragment));
    });
    this.registry.closed$.subscribe((track) => {
      if (isOurs(track)) collected.closed += 1;
    });
    return collected;
  }
}

/** What readers of a rendition saw so far. */
export interface CollectedOutput {
  readonly fragments: Fragment[];
  opened: number;
  closed: number;
}

/** Lets everything run that waits for no clock, socket or process. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
