import type { RemoteUrl } from '../../remote/remote-url.ts';
import { untilAborted } from '../../util/abort.ts';
import type { Clock } from '../../util/clock.ts';
import { AppError } from '../../util/errors.ts';
import { mediaLimits } from './media-item.ts';
import type { SourceFetcher } from './source-fetcher.ts';

/** AES-128 (RFC 8216, 4.3.2.4). */
const KEY_BYTES = 16;
/** More than a key has, so that one that is too long is told from a good one. */
const MAX_BYTES = 64;
const MAX_KEYS = 64;
const TTL_MS = 3_600_000;

interface StoredKey {
  readonly key: Promise<Buffer>;
  readonly untilMs: number;
}

/** Keys of encrypted segments, fetched once for each source that may have them and kept for an hour. */
export class KeyStore {
  readonly #clock: Clock;
  /** By address; the one fetched last at the end. What one source may fetch is not another's. */
  readonly #sources = new WeakMap<SourceFetcher, Map<string, StoredKey>>();

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  /**
   * Fetches a key of 16 bytes, unless it is there or on its way.
   * @throws UpstreamFailure if it cannot be fetched, AppError `BAD_MEDIA` if it is none, `UNAVAILABLE` once `signal` aborts
   */
  async key(target: RemoteUrl, fetcher: SourceFetcher, signal?: AbortSignal): Promise<Buffer> {
    const keys = this.#keysOf(fetcher);
    const { href } = target.url;
    const known = keys.get(href);
    const nowMs = this.#clock.nowMs();
    if (known !== undefined && known.untilMs > nowMs) return unlessAborted(known.key, signal);
    const stored = { key: fetchKey(target, fetcher), untilMs: nowMs + TTL_MS };
    keys.delete(href);
    keys.set(href, stored);
    for (const oldest of [...keys.keys()].slice(0, -MAX_KEYS)) keys.delete(oldest);
    stored.key.catch(() => {
      if (keys.get(href) === stored) keys.delete(href);
    });
    return unlessAborted(stored.key, signal);
  }

  /** Fetches a key anew the next time, as it does not fit. */
  forget(target: RemoteUrl, fetcher: SourceFetcher): void {
    this.#keysOf(fetcher).delete(target.url.href);
  }

  #keysOf(fetcher: SourceFetcher): Map<string, StoredKey> {
    const keys = this.#sources.get(fetcher) ?? new Map<string, StoredKey>();
    this.#sources.set(fetcher, keys);
    return keys;
  }
}

async function fetchKey(target: RemoteUrl, fetcher: SourceFetcher): Promise<Buffer> {
  const { timeoutMs } = mediaLimits({ id: '', target, durationMs: 0, kind: 'key' });
  const key = await fetcher.bytes(target, { maxBytes: MAX_BYTES, timeoutMs });
  if (key.length === KEY_BYTES) return key;
  throw new AppError('BAD_MEDIA', `the key "${target.label}" has ${key.length} bytes; one of AES-128 has ${KEY_BYTES}`);
}

function unlessAborted(key: Promise<Buffer>, signal: AbortSignal | undefined): Promise<Buffer> {
  return untilAborted(key, signal, () => new AppError('UNAVAILABLE', 'fetching a key was aborted'));
}
