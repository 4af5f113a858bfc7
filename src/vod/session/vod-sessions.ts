import type { MediaFile } from '../../hls/media-file.ts';
import type { RenderedPlaylist } from '../../hls/rendered-playlist.ts';
import type { Clock } from '../../util/clock.ts';
import { type Closable, Closer } from '../../util/closer.ts';
import { AppError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import { Holds } from './hold.ts';
import type { VodSession } from './session.ts';
import { makeRoom, type SessionLimits } from './session-limits.ts';
import { newSessionId, sourceKeyOf } from './session-record.ts';
import { SessionRegistry } from './session-registry.ts';
import { SessionStore } from './session-store.ts';
import type { PlaybackInfo, SessionFigures, SessionProgress, SessionRequest, SessionView } from './session-view.ts';
import { type MediaRequest, TitlePlayback } from './title-playback.ts';
import { checkChoice } from './track-choice.ts';
import type { VodDeps } from './vod-deps.ts';

interface VodSessionsOptions {
  readonly deps: VodDeps;
  /** Where sessions are kept over restarts. */
  readonly file: string;
  readonly limits: SessionLimits;
  /** How long an active session lives on without a request, ms. */
  readonly heartbeatMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A stop that comes so soon after a request is older than that request: another page of the viewer took over. */
const STOP_GRACE_MS = 5_000;

/** Sources that are looked at at the same time, for new sessions and for those that wake up. */
const MAX_LOADING = 100;

/** Sessions that a list shows. */
const MAX_LISTED = 1_000;

const SWEEP_MS = 1_000;

/**
 * Everybody's play of files. A session is active from its start and whenever something is asked of it, becomes idle without
 * requests, and is remembered over restarts: a later request with its id wakes it up where it was.
 */
export class VodSessions implements Closable {
  readonly #options: VodSessionsOptions;
  readonly #store: SessionStore;
  readonly #sessions: SessionRegistry;
  readonly #starting: Holds;
  readonly #closer = new Closer();
  readonly #counters = { started: 0, revived: 0, displaced: 0, refused: 0 };
  #loading = 0;

  private constructor(options: VodSessionsOptions, store: SessionStore) {
    this.#options = options;
    this.#store = store;
    this.#sessions = new SessionRegistry(options);
    this.#starting = new Holds(options);
    this.#closer.add(() => store.close());
    this.#closer.add(() => this.#endAll());
    this.#closer.add(options.clock.every(SWEEP_MS, () => this.#sweep()));
  }

  /**
   * Opens with the sessions of the last run, all of them idle.
   * @throws AppError `BAD_CONFIG` if the file is there but cannot be read
   */
  static async open(options: VodSessionsOptions): Promise<VodSessions> {
    const store = new SessionStore(options);
    const records = await store.read();
    const sessions = new VodSessions(options, store);
    for (const record of records) sessions.#sessions.add(record);
    sessions.#sweep();
    return sessions;
  }

  /**
   * Starts a session, or goes on with that of the same user, source and tracks.
   * @throws AppError as the source and its title do; `BAD_REQUEST` for a track that there is not, `LIMIT_REACHED`
   */
  start(request: SessionRequest, signal: AbortSignal): Promise<SessionView> {
    return this.#starting.run(async (held) => {
      const playback = await this.#limited(() => this.#read(request, held));
      held.throwIfAborted();
      const { session, isNew } = this.#sessionFor(request, playback);
      if (isNew) this.#counters.started += 1;
      session.touch();
      if (request.positionMs !== undefined) session.tell(request.positionMs);
      if (request.fill === true) session.fill();
      this.#changed();
      return session.view();
    }, signal);
  }

  /** The sessions seen last, 1,000 at most, the last seen first. */
  list(): SessionView[] {
    const sessions = this.#sessions.all().sort((a, b) => b.seenAtMs - a.seenAtMs);
    return sessions.slice(0, MAX_LISTED).map((session) => session.view());
  }

  /** @throws AppError `NOT_FOUND`, or `GONE` for one that has ended */
  view(id: string): SessionView {
    return this.#sessions.find(id).view();
  }

  /** How far what it plays is encoded. @throws AppError as `view` */
  progress(id: string): SessionProgress {
    return this.#sessions.find(id).progress();
  }

  /** What a player's page needs to know. Counts as a request. @throws AppError as `multivariant` */
  info(id: string, signal: AbortSignal): Promise<PlaybackInfo> {
    return this.#use(id, signal, async (session, held) => {
      await this.#playback(session, held);
      return session.info();
    });
  }

  /**
   * Keeps a session active, and notes where its player is. Returns where it is.
   * @throws AppError as `multivariant`
   */
  heartbeat(id: string, positionMs: number | undefined, signal: AbortSignal): Promise<{ positionMs: number }> {
    return this.#use(id, signal, async (session, held) => {
      await this.#playback(session, held);
      if (positionMs !== undefined) session.tell(positionMs);
      return { positionMs: session.positionMs };
    });
  }

  /**
   * The multivariant playlist; wakes up an idle session.
   * @throws AppError `NOT_FOUND`, `GONE` if the session has ended or its source has changed, `LIMIT_REACHED`, `UNAVAILABLE`
   */
  multivariant(id: string, signal: AbortSignal): Promise<RenderedPlaylist> {
    return this.#use(id, signal, async (session, held) => (await this.#playback(session, held)).multivariant());
  }

  /** A media playlist, of full length. @throws AppError as `multivariant` */
  mediaPlaylist(id: string, rendition: string, signal: AbortSignal): Promise<RenderedPlaylist> {
    return this.#use(id, signal, async (session, held) =>
      (await this.#playback(session, held)).mediaPlaylist(rendition),
    );
  }

  /** An init, a segment or subtitles, once they are there. @throws AppError as `multivariant`, `TitlePlayback.media` */
  media(id: string, request: MediaRequest, signal: AbortSignal): Promise<MediaFile> {
    return this.#use(id, signal, async (session, held) => {
      const playback = await this.#playback(session, held);
      const { file, positionMs } = await playback.media(request, session.positionMs, held);
      if (positionMs !== undefined) session.assume(positionMs, this.#options.heartbeatMs);
      return file;
    });
  }

  /**
   * Ends a session for good. What is encoded stays.
   * @param force also right after a request
   * @throws AppError as `view`; `BUSY` if it was used just now
   */
  stop(id: string, { force = false }: { force?: boolean } = {}): void {
    const session = this.#sessions.find(id);
    const agoMs = this.#options.clock.nowMs() - session.seenAtMs;
    if (!force && (agoMs < STOP_GRACE_MS || session.holds.size > 0)) {
      const since = session.holds.size > 0 ? 'is being used' : `was used ${(agoMs / 1000).toFixed(1)} s ago`;
      throw new AppError('BUSY', `the session ${since}, so the stop is ignored; send it with force=true to insist`);
    }
    this.#sessions.end(session, 'it was stopped');
    this.#changed();
  }

  /** Figures for metrics. */
  figures(): SessionFigures {
    const active = this.#sessions.active().length;
    return { active, idle: this.#sessions.size - active, ...this.#counters };
  }

  /** Ends all encoding, and remembers the sessions. */
  close(): Promise<void> {
    return this.#closer.close();
  }

  /** Keeps the session from becoming idle while it is used. */
  async #use<T>(
    id: string,
    signal: AbortSignal,
    task: (session: VodSession, held: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const session = this.#sessions.find(id);
    session.touch();
    try {
      return await session.holds.run((held) => task(session, held), signal);
    } finally {
      session.touch();
      this.#changed();
    }
  }

  async #playback(session: VodSession, held: AbortSignal): Promise<TitlePlayback> {
    const playback =
      session.playback ??
      (await (session.loading ??= this.#limited(() => this.#revive(session)).finally(
        () => (session.loading = undefined),
      )));
    held.throwIfAborted();
    return playback;
  }

  async #revive(session: VodSession): Promise<TitlePlayback> {
    const record = session.record();
    const playback = await this.#read(record, session.ended).catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code !== 'NOT_FOUND') throw error;
      throw new AppError('GONE', `${error.message}; start a new session once it is there again`, { cause: error });
    });
    if (sourceKeyOf(playback.title.source.identity) !== session.sourceKey) {
      const name = JSON.stringify(session.label);
      throw new AppError('GONE', `${name} has changed since this session began; start a new session`);
    }
    session.ended.throwIfAborted();
    this.#admit(session);
    this.#counters.revived += 1;
    return session.open(playback);
  }

  async #read(
    { source: address, audio, subtitles }: Pick<SessionRequest, 'source' | 'audio' | 'subtitles'>,
    signal: AbortSignal,
  ): Promise<TitlePlayback> {
    const { deps } = this.#options;
    const source = await deps.sources.resolve(address, signal);
    const title = await deps.titles.read(source, signal);
    const choice = { audio, subtitles };
    checkChoice(title, choice);
    return new TitlePlayback({ title, choice, deps });
  }

  async #limited<T>(task: () => Promise<T>): Promise<T> {
    if (this.#loading >= MAX_LOADING) {
      throw new AppError('UNAVAILABLE', `${MAX_LOADING} sources are being opened at the moment; try again in a second`);
    }
    this.#loading += 1;
    try {
      return await task();
    } finally {
      this.#loading -= 1;
    }
  }

  /** From here to the end nothing waits, so that no two requests make the same session. */
  #sessionFor(request: SessionRequest, playback: TitlePlayback): { session: VodSession; isNew: boolean } {
    if (this.#closer.closed) throw new AppError('UNAVAILABLE', 'the server is shutting down');
    const { user, audio, subtitles } = request;
    const { label, identity } = playback.title.source;
    const sourceKey = sourceKeyOf(identity);
    const known = this.#sessions.same({ user, sourceKey, audio, subtitles });
    if (known?.isActive !== true) this.#admit({ user, sourceKey, label });
    const nowMs = this.#options.clock.nowMs();
    const session =
      known ??
      this.#sessions.add({
        ...{ id: newSessionId(), source: request.source, label, sourceKey, user, audio, subtitles },
        ...{ durationMs: playback.durationMs, positionMs: 0, startedAtMs: nowMs, seenAtMs: nowMs },
      });
    session.open(playback);
    return { session, isNew: known === undefined };
  }

  #admit(newcomer: { user: string | undefined; sourceKey: string; label: string }): void {
    try {
      for (const session of makeRoom(this.#sessions.active(), newcomer, this.#options.limits)) {
        this.#counters.displaced += 1;
        this.#sessions.end(session, 'it made room for another session of the same user');
      }
    } catch (error) {
      this.#counters.refused += 1;
      throw error;
    }
  }

  #sweep(): void {
    for (const session of this.#sessions.active()) if (session.isQuiet(this.#options.heartbeatMs)) session.rest();
    this.#sessions.prune();
  }

  #changed(): void {
    this.#store.save(() => this.#sessions.all().map((session) => session.record()));
  }

  #endAll(): void {
    const error = new AppError('UNAVAILABLE', 'the server is shutting down');
    this.#starting.endAll(error);
    for (const session of this.#sessions.all()) session.end(error);
    this.#changed();
  }
}
