const HEARTBEAT_MS = 10_000;

/** One viewer's session of a file on the server: what it is, and where the viewer is. */
export class FilmSession {
  #path;
  #timer;

  /** @param {string} id */
  constructor(id) {
    this.#path = `/vod/${encodeURIComponent(id)}`;
  }

  /**
   * Asks the server for it.
   *
   * @returns {Promise<{ title: string, durationMs: number, positionMs: number, playlist: string }
   *   | { refusal: string } | undefined>} `undefined` while the server does not answer
   */
  async read() {
    try {
      const answer = await fetch(this.#path, { cache: 'no-store' });
      // What is in front of a server that is away answers with these.
      if ([502, 503, 504].includes(answer.status)) return undefined;
      const content = await answer.json();
      return answer.ok ? content : { refusal: content.message ?? `The server answered ${answer.status}.` };
    } catch {
      return undefined;
    }
  }

  /**
   * Tells the server where the viewer is, now and then, when the picture is stopped, and when the page is left.
   *
   * @param {import('./stage.js').Stage} stage
   * @param {() => number | undefined} positionS `undefined` while there is nothing to tell
   */
  follow(stage, positionS) {
    const tell = () => this.#tell(positionS());
    this.#timer ??= setInterval(tell, HEARTBEAT_MS);
    stage.on('pause', tell);
    window.addEventListener('pagehide', tell);
  }

  #tell(positionS) {
    if (positionS === undefined) return;
    const body = JSON.stringify({ positionMs: Math.max(0, Math.round(positionS * 1000)) });
    const headers = { 'content-type': 'application/json' };
    fetch(`${this.#path}/heartbeat`, { method: 'POST', headers, body, keepalive: true }).catch(() => undefined);
  }
}
