/** Builds ffmpeg options: names and values never run into each other, whatever a value holds. */
export class OptionList {
  readonly #args: string[] = [];

  /**
   * Adds `-name value`. Numbers may be negative.
   * @throws TypeError for a value that could be read as an option or be split in two.
   */
  option(name: string, value: string | number): this {
    const text = String(value);
    const safe = typeof value === 'number' ? Number.isFinite(value) : /^[^\s-]\S*$/.test(text);
    if (!safe)
      throw new TypeError(`ffmpeg option -${name} must have a value without spaces or leading "-", not "${text}"`);
    this.#args.push(`-${checkedName(name)}`, text);
    return this;
  }

  /** Adds `-name`. */
  flag(name: string): this {
    this.#args.push(`-${checkedName(name)}`);
    return this;
  }

  /** Adds each entry as `option()` does. */
  options(entries: Readonly<Record<string, string | number>>): this {
    for (const [name, value] of Object.entries(entries)) this.option(name, value);
    return this;
  }

  toArray(): string[] {
    return [...this.#args];
  }
}

function checkedName(name: string): string {
  if (!/^[a-z0-9_:-]+$/i.test(name)) throw new TypeError(`"${name}" is no name of an ffmpeg option`);
  return name;
}
