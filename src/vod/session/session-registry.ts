import type { Clock } from '../../util/clock.ts';
import { AppError } from '../../util/errors.ts';
import { VodSession } from './session.ts';
import { sessionKey, type SessionRecord } from './session-record.ts';

/** Idle sessions are remembered for a day, this many of them. */
const REMEMBER_MS = 24 * 3_600_000;
const MAX_REMEMBERED = 10_000;

/** Ids of ended sessions whose players are told why. */
const MAX_ENDED = 1_000;

/** Which sessions there are, and why others have ended. */
export class SessionRegistry {
  readonly #clock: Clock;
  readonly #maxRemembered: number;
  readonly #byId = new Map<string, VodSession>();
  readonly #byKey = new Map<string, VodSession>();
  readonly #endings = new Map<string, string>();

  constructor({ clock, maxRemembered = MAX_REMEMBERED }: { clock: Clock; maxRemembered?: number }) {
    this.#clock = clock;
    this.#maxRemembered = maxRemembered;
  }

  get size(): number {
    return this.#byId.size;
  }

  all(): VodSession[] {
    return [...this.#byId.values()];
  }

  active(): VodSession[] {
    return this.all().filter(({ isActive }) => isActive);
  }

  /** The session of the same user, source and tracks. */
  same(request: Pick<SessionRecord, 'user' | 'sourceKey' | 'audio' | 'subtitles'>): VodSession | undefined {
    return this.#byKey.get(sessionKey(request));
  }

  /** @throws AppError `NOT_FOUND` if there never was one or it is long ago, `GONE` that says why it has ended */
  find(id: string): VodSession {
    const session = this.#byId.get(id);
    if (session !== undefined) return session;
    const ending = this.#endings.get(id);
    if (ending !== undefined) throw new AppError('GONE', ending);
    throw new AppError('NOT_FOUND', 'there is no such session; POST /api/v1/vod starts one');
  }

  add(record: SessionRecord): VodSession {
    const session = new VodSession(record, this.#clock);
    this.#byId.set(session.id, session);
    this.#byKey.set(sessionKey(record), session);
    return session;
  }

  /** Ends a session for good; who still asks for it is told why. */
  end(session: VodSession, why: string): void {
    const message = `the session has ended: ${why}; start a new one`;
    this.#endings.set(session.id, message);
    const [oldest] = this.#endings.keys();
    if (this.#endings.size > MAX_ENDED && oldest !== undefined) this.#endings.delete(oldest);
    this.#remove(session, message);
  }

  /** Forgets idle sessions: those not seen for a day, and those seen longest ago where there are too many. */
  prune(): void {
    const rememberedFrom = this.#clock.nowMs() - REMEMBER_MS;
    const idle = this.all().filter((session) => !session.isActive && session.holds.size === 0);
    if (idle.length > this.#maxRemembered) idle.sort((a, b) => b.seenAtMs - a.seenAtMs);
    idle.forEach((session, index) => {
      const isForgotten = session.seenAtMs < rememberedFrom || index >= this.#maxRemembered;
      if (isForgotten) this.#remove(session, 'the session has not been used for long; start a new one');
    });
  }

  #remove(session: VodSession, message: string): void {
    this.#byId.delete(session.id);
    const key = sessionKey(session.record());
    if (this.#byKey.get(key) === session) this.#byKey.delete(key);
    session.end(new AppError('GONE', message));
  }
}
