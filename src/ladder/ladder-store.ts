import { type Observable, Subject } from 'rxjs';
import { deepFreeze } from '../util/deep-freeze.ts';
import { AppError } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { checkSchema } from '../util/schema-check.ts';
import { BroadcastPattern } from '../util/broadcast-pattern.ts';
import { type Ladder, MAX_LADDER_RUNGS } from './ladder.ts';
import { applyOverlay, type LadderOverlay, type LadderState, withAdded, withRemoved } from './ladder-overlay.ts';
import type { LadderSource } from './ladder-source.ts';
import { SHARED_AUDIO_RENDITION } from './ladder-source.ts';
import { LadderStateFile } from './ladder-state-file.ts';
import { RenditionSpec } from './rendition.ts';
import { checkRendition } from './rendition-rules.ts';

/** What a store is made of. */
export interface LadderStoreOptions {
  /** At least one; the first one is meant where no ladder is named. */
  readonly ladders: readonly Ladder[];
  /** File that keeps runtime changes; its folder is made if need be. */
  readonly stateFile: string;
  readonly logger: Logger;
}

/** kbit/s of the shared audio where no rung of the ladder says anything. */
const DEFAULT_AUDIO_KBPS = 128;

/** The ladders with what admins changed at runtime, which survives a restart. */
export class LadderStore implements LadderSource {
  readonly #ladders: ReadonlyMap<string, LadderEntry>;
  readonly #default: LadderEntry;
  readonly #stateFile: LadderStateFile;
  readonly #changed = new Subject<void>();
  #state: LadderState;
  #lastChange: Promise<unknown> = Promise.resolve();

  readonly changed$: Observable<void> = this.#changed.asObservable();

  private constructor(ladders: readonly Ladder[], stateFile: LadderStateFile, state: LadderState) {
    const entries = ladders.map((ladder) => new LadderEntry(ladder, state.ladders[ladder.name]));
    const [first] = entries;
    if (first === undefined) throw new TypeError('a ladder store needs at least one ladder');
    this.#default = first;
    this.#ladders = new Map(entries.map((entry) => [entry.name, entry]));
    this.#stateFile = stateFile;
    this.#state = state;
  }

  /** Loads the saved changes. @throws AppError `BAD_CONFIG` if the state file cannot be read. */
  static async open({ ladders, stateFile, logger }: LadderStoreOptions): Promise<LadderStore> {
    const file = new LadderStateFile(stateFile, logger);
    return new LadderStore(ladders, file, await file.load());
  }

  /** Every ladder with its rungs as they are now, in the configured order. */
  list(): Ladder[] {
    return [...this.#ladders.values()].map(({ name, match, renditions }) => ({ name, match, renditions }));
  }

  renditionsFor(broadcast: string): readonly RenditionSpec[] {
    let best: LadderEntry | undefined;
    let bestSpecificity = -1;
    for (const entry of this.#ladders.values()) {
      const specificity = entry.specificityFor(broadcast);
      if (specificity > bestSpecificity) [best, bestSpecificity] = [entry, specificity];
    }
    return best?.withAudio ?? [];
  }

  /**
   * Adds a rung to a ladder (the first one if none is named) and saves that; the spec is copied.
   * @throws AppError `BAD_REQUEST` for a bad spec, `CONFLICT` for a name that is taken or reserved, `NOT_FOUND` for an
   * unknown ladder, `LIMIT_REACHED` for a full one, `UNAVAILABLE` if it cannot be saved. Nothing has changed then.
   */
  add(spec: RenditionSpec, ladder?: string): Promise<RenditionSpec> {
    return this.#inTurn(async () => {
      const entry = ladder === undefined ? this.#default : this.#entry(ladder);
      const copy = checkSchema(RenditionSpec, structuredClone(spec), { subject: 'rendition', code: 'BAD_REQUEST' });
      checkRendition(copy, `rendition "${copy.name}"`, 'BAD_REQUEST');
      if (entry.has(copy.name)) {
        throw new AppError(
          'CONFLICT',
          `ladder "${entry.name}" has a rendition "${copy.name}" already; remove it first or choose another name`,
        );
      }
      if (entry.renditions.length >= MAX_LADDER_RUNGS) {
        throw new AppError(
          'LIMIT_REACHED',
          `ladder "${entry.name}" has ${MAX_LADDER_RUNGS} renditions, the most it may`,
        );
      }
      await this.#change(entry, withAdded(entry.overlay, deepFreeze(copy)));
      return copy;
    });
  }

  /**
   * Removes a rung and saves that.
   * @param ladder May be left out if only one ladder has a rung of this name.
   * @throws AppError `NOT_FOUND`, `CONFLICT` if several ladders have it, `UNAVAILABLE` if it cannot be saved.
   */
  remove(name: string, ladder?: string): Promise<void> {
    return this.#inTurn(async () => {
      const candidates = ladder === undefined ? [...this.#ladders.values()] : [this.#entry(ladder)];
      const owners = candidates.filter((entry) => entry.has(name));
      const [owner] = owners;
      if (owner === undefined) throw new AppError('NOT_FOUND', `there is no rendition ${JSON.stringify(name)}`);
      if (owners.length > 1) {
        const names = owners.map((entry) => entry.name).join(', ');
        throw new AppError('CONFLICT', `the ladders ${names} each have a rendition "${name}"; name one with ?ladder=`);
      }
      await this.#change(owner, withRemoved(owner.overlay, name, owner.base));
    });
  }

  #entry(name: string): LadderEntry {
    const entry = this.#ladders.get(name);
    if (entry === undefined) {
      const known = [...this.#ladders.keys()].join(', ');
      throw new AppError('NOT_FOUND', `there is no ladder ${JSON.stringify(name)}; there are: ${known}`);
    }
    return entry;
  }

  async #change(entry: LadderEntry, overlay: LadderOverlay): Promise<void> {
    const state = { ...this.#state, ladders: { ...this.#state.ladders, [entry.name]: overlay } };
    await this.#stateFile.save(state);
    this.#state = state;
    entry.use(overlay);
    this.#changed.next();
  }

  /** Changes wait for one another, so that each sees the one before and the file never goes back. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#lastChange.then(change);
    this.#lastChange = turn.catch(() => undefined);
    return turn;
  }
}

/** One ladder: its file's rungs, the overlay, and what both make together. */
class LadderEntry {
  readonly name: string;
  readonly match: readonly string[];
  readonly base: readonly RenditionSpec[];
  readonly #patterns: readonly BroadcastPattern[];
  overlay: LadderOverlay | undefined;
  renditions: readonly RenditionSpec[] = [];
  /** The rungs and the audio that they share; the very same array until the ladder changes. */
  withAudio: readonly RenditionSpec[] = [];
  #audio: RenditionSpec | undefined;

  constructor(ladder: Ladder, overlay: LadderOverlay | undefined) {
    this.name = ladder.name;
    this.match = ladder.match;
    this.base = ladder.renditions;
    this.#patterns = ladder.match.map((pattern) => new BroadcastPattern(pattern));
    this.use(overlay);
  }

  use(overlay: LadderOverlay | undefined): void {
    this.overlay = overlay;
    this.renditions = Object.freeze(applyOverlay(this.base, overlay));
    const wanted = this.renditions.flatMap(({ audioBitrateKbps }) => audioBitrateKbps ?? []);
    const audioBitrateKbps = wanted.length === 0 ? DEFAULT_AUDIO_KBPS : Math.max(...wanted);
    if (this.#audio?.audioBitrateKbps !== audioBitrateKbps) {
      this.#audio = Object.freeze({ name: SHARED_AUDIO_RENDITION, audioBitrateKbps });
    }
    this.withAudio = Object.freeze([...this.renditions, this.#audio]);
  }

  has(name: string): boolean {
    return this.renditions.some((spec) => spec.name === name);
  }

  /** -1 if the ladder is not for the broadcast. */
  specificityFor(broadcast: string): number {
    const fits = this.#patterns.filter((pattern) => pattern.matches(broadcast));
    return Math.max(-1, ...fits.map(({ specificity }) => specificity));
  }
}
