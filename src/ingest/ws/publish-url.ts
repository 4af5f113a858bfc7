import { AppError } from '../../util/errors.ts';

const PREFIX = '/ingest/';
const MAX_URL_LENGTH = 2_048;

/** What the URL of a WebSocket publisher names. */
export interface PublishTarget {
  /** `app/name`, not checked yet. */
  readonly broadcast: string;
  readonly key: string | undefined;
}

/** True if a request's URL belongs to the WebSocket ingest. */
export function isPublishUrl(url: string): boolean {
  return url.startsWith(PREFIX);
}

/**
 * Reads `/ingest/APP/NAME?key=SECRET`.
 * @throws AppError `BAD_REQUEST` if the URL is too long or badly encoded.
 */
export function parsePublishUrl(url: string): PublishTarget {
  if (url.length > MAX_URL_LENGTH) {
    throw new AppError('BAD_REQUEST', `a URL of ${url.length} characters is over the limit of ${MAX_URL_LENGTH}`);
  }
  const [path = '', query = ''] = url.slice(PREFIX.length).split('?', 2);
  try {
    return { broadcast: decodeURIComponent(path), key: new URLSearchParams(query).get('key') ?? undefined };
  } catch (cause) {
    throw new AppError('BAD_REQUEST', 'the URL is badly encoded; use /ingest/live/NAME?key=SECRET', { cause });
  }
}
