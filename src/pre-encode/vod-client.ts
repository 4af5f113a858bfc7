import { AppError, reasonOf } from '../util/errors.ts';
import { readEvents } from './event-reader.ts';

/** A session as the server tells it. */
export interface StartedSession {
  readonly id: string;
  readonly source: string;
  readonly durationMs: number;
}

/** How far a session is encoded, as the server tells it. */
export interface EncodeProgress {
  readonly state: 'on-demand' | 'running' | 'complete' | 'failed';
  readonly reason?: string;
  readonly segments: number;
  readonly encoded: number;
  readonly bytes: number;
}

/** The part of a server's REST API that fills its cache. */
export class VodClient {
  readonly #baseUrl: string;
  readonly #adminToken: string;

  /** @param baseUrl of the server, e.g. `http://127.0.0.1:8080` */
  constructor({ baseUrl, adminToken }: { baseUrl: string; adminToken: string }) {
    this.#baseUrl = baseUrl;
    this.#adminToken = adminToken;
  }

  /**
   * Starts a session that encodes everything of a source.
   * @throws AppError with the server's message; `UNAVAILABLE` if it does not answer
   */
  async start(source: string, user: string, signal: AbortSignal): Promise<StartedSession> {
    const body = JSON.stringify({ source, user, fill: true });
    const answer = await this.#call('vod', { method: 'POST', body, signal });
    return (await answer.json()) as StartedSession;
  }

  /** Follows a session until it is complete or has failed, or has ended by itself. Errors as with `start`. */
  async *progress(id: string, signal: AbortSignal): AsyncGenerator<EncodeProgress> {
    const answer = await this.#call(`vod/${id}/progress`, { accept: 'text/event-stream', signal });
    if (answer.body === null) return;
    for await (const { type, data } of readEvents(answer.body)) {
      if (type === 'end') return;
      if (type !== 'progress') continue;
      const progress = JSON.parse(data) as EncodeProgress;
      yield progress;
      if (progress.state !== 'running') return;
    }
  }

  /** Ends a session; its encoders end, what is encoded stays. Errors as with `start`. */
  async stop(id: string): Promise<void> {
    await this.#call(`vod/${id}?force=true`, { method: 'DELETE', signal: AbortSignal.timeout(STOP_TIMEOUT_MS) });
  }

  async #call(
    path: string,
    {
      method = 'GET',
      accept = 'application/json',
      body,
      signal,
    }: { method?: string; accept?: string; body?: string; signal: AbortSignal },
  ): Promise<Response> {
    const headers = {
      accept,
      authorization: `Bearer ${this.#adminToken}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    let answer: Response;
    try {
      answer = await fetch(`${this.#baseUrl}/api/v1/${path}`, {
        method,
        headers,
        signal,
        ...(body !== undefined && { body }),
      });
    } catch (thrown) {
      throw new AppError('UNAVAILABLE', `the server at ${this.#baseUrl} does not answer: ${reasonOf(thrown)}`);
    }
    if (!answer.ok) throw await refusal(answer);
    return answer;
  }
}

const STOP_TIMEOUT_MS = 10_000;

async function refusal(answer: Response): Promise<AppError> {
  const said = (await answer.json().catch(() => undefined)) as { message?: unknown } | undefined;
  const message = typeof said?.message === 'string' ? said.message : `the server answered ${answer.status}`;
  return new AppError('UNAVAILABLE', message);
}
