/** Takes secrets out of log lines, wherever in a line they are. */
export class Scrubber {
  #secrets: readonly string[] = [];

  /** Names values that must never be seen from now on. Those shorter than 6 characters are ignored: they are in any text. */
  hide(...secrets: readonly (string | undefined)[]): void {
    const usable = secrets.filter((secret): secret is string => secret !== undefined && secret.length >= 6);
    // A secret is written escaped in JSON and in URLs.
    const spellings = usable.flatMap((secret) => [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret),
    ]);
    this.#secrets = [...new Set([...this.#secrets, ...spellings])].sort((a, b) => b.length - a.length);
  }

  /** The line without secrets: those named to `hide`, and whatever follows `key=` or `token=` in a URL. */
  scrub(line: string): string {
    const withoutQueries = line.replace(/([?&](?:key|token)=)[^&\s"'\\#]*/gi, `$1${HIDDEN}`);
    return this.#secrets.reduce((text, secret) => text.replaceAll(secret, HIDDEN), withoutQueries);
  }
}

const HIDDEN = '[hidden]';
