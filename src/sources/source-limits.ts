import { AppError } from '../util/errors.ts';

/** How many sources may run. */
export interface SourceLimits {
  /** Hard: others are refused, unless a source of the same user can make room. */
  readonly maxActive: number;
  /** Soft: the user's oldest source on demand makes room; 0: no limit. */
  readonly maxPerUser: number;
}

/** What counts of a source that runs. */
export interface ActiveSource {
  readonly name: string;
  readonly user: string | undefined;
  readonly onDemand: boolean;
  readonly startedAtMs: number;
}

/**
 * Which sources have to stop so that another one may run: those on demand of the same user, oldest first.
 * @throws AppError `LIMIT_REACHED` if none may stop for it
 */
export function makeRoom<T extends ActiveSource>(
  active: readonly T[],
  newcomer: Pick<ActiveSource, 'name' | 'user'>,
  { maxActive, maxPerUser }: SourceLimits,
): T[] {
  const { user } = newcomer;
  const own = user === undefined ? [] : active.filter((source) => source.user === user);
  const mayLeave = own.filter(({ onDemand }) => onDemand).sort((a, b) => a.startedAtMs - b.startedAtMs);
  const leaving: T[] = [];
  const leave = (count: number, message: string, advice: string): void => {
    const chosen = mayLeave.splice(0, Math.max(0, count));
    if (chosen.length < count) {
      throw new AppError('LIMIT_REACHED', `${JSON.stringify(newcomer.name)} cannot run: ${message}; ${advice}`);
    }
    leaving.push(...chosen);
  };
  if (maxPerUser > 0 && own.length >= maxPerUser) {
    const message = `${own.length} sources of its user run already, and ${maxPerUser} may (pull.maxPerUser)`;
    leave(own.length - maxPerUser + 1, message, 'they are always on, so delete one of them');
  }
  const excess = active.length - leaving.length - maxActive + 1;
  if (excess > 0) {
    const message = `${active.length} sources run already, and ${maxActive} may (pull.maxActive)`;
    leave(excess, message, 'try again when one of them has stopped');
  }
  return leaving;
}
