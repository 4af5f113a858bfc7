/** Takes secrets out of log lines, wherever in a line they are. */
export class Scrubber {
  /** How many name each spelling of a secret at present. */
  readonly #uses = new Map<string, number>();
  #longestFirst: readonly string[] = [];

  /**
   * Names values that must not be seen from now on. Those shorter than 6 characters are ignored: they are in any text.
   * What is returned, called once, takes that back for secrets that are no longer in use.
   */
  hide(...secrets: readonly (string | undefined)[]): () => void {
    const usable = secrets.filter((secret): secret is string => secret !== undefined && secret.length >= 6);
    // A secret is written escaped in JSON and in URLs.
    const spellings = new Set(
      usable.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]),
    );
    this.#count(spellings, 1);
    return () => this.#count(spellings, -1);
  }

  /** The line without secrets: those named to `hide`, and whatever follows `key=` or `token=` in a URL. */
  scrub(line: string): string {
    const withoutQueries = line.replace(/([?&](?:key|token)=)[^&\s"'\\#]*/gi, `$1${HIDDEN}`);
    return this.#longestFirst.reduce((text, secret) => text.replaceAll(secret, HIDDEN), withoutQueries);
  }

  #count(spellings: ReadonlySet<string>, change: 1 | -1): void {
    for (const spelling of spellings) {
      const uses = (this.#uses.get(spelling) ?? 0) + change;
      if (uses > 0) this.#uses.set(spelling, uses);
      else this.#uses.delete(spelling);
    }
    this.#longestFirst = [...this.#uses.keys()].sort((a, b) => b.length - a.length);
  }
}

const HIDDEN = '[hidden]';
