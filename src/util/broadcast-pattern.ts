/** A pattern over broadcast names: `live/demo`, `live/*`, `*`; `*` stands for any characters. */
export class BroadcastPattern {
  readonly text: string;
  /** The higher, the narrower: a pattern without `*` beats all with one, then the number of fixed characters counts. */
  readonly specificity: number;
  readonly #expression: RegExp;

  constructor(text: string) {
    this.text = text;
    this.specificity = text.includes('*') ? text.replaceAll('*', '').length : Number.MAX_SAFE_INTEGER;
    const parts = text.split(/\*+/).map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
    this.#expression = new RegExp(`^${parts.join('.*')}$`, 's');
  }

  matches(broadcast: string): boolean {
    return this.#expression.test(broadcast);
  }
}
