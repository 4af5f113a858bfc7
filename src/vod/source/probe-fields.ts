import { AppError } from '../../util/errors.ts';

type JsonObject = Readonly<Record<string, unknown>>;

const MAX_NAME_CHARS = 100;
const MAX_CHILDREN = 256;

/** Reads an object of ffprobe's JSON, which writes most numbers as strings and leaves out what it does not know. */
export class ProbeFields {
  readonly #object: JsonObject;

  private constructor(object: JsonObject) {
    this.#object = object;
  }

  /** Reads all that ffprobe wrote. @throws AppError `BAD_MEDIA` if that is no object */
  static parse(output: Buffer): ProbeFields {
    try {
      const value: unknown = JSON.parse(output.toString('utf8'));
      if (isObject(value)) return new ProbeFields(value);
    } catch {
      // The same as any other value.
    }
    throw new AppError('BAD_MEDIA', 'ffprobe gave no facts about the source');
  }

  /** A name of up to 100 characters; `undefined` for `unknown` and for what is longer. */
  text(key: string): string | undefined {
    const text = this.longText(key);
    return text === '' || text === 'unknown' || (text?.length ?? 0) > MAX_NAME_CHARS ? undefined : text;
  }

  /** A text of any length. */
  longText(key: string): string | undefined {
    const value = this.#object[key];
    return typeof value === 'string' ? value : undefined;
  }

  /** A finite number; also of a hexadecimal text. */
  number(key: string): number | undefined {
    const value = this.#object[key];
    const number = typeof value === 'number' ? value : typeof value === 'string' && value !== '' ? Number(value) : NaN;
    return Number.isFinite(number) ? number : undefined;
  }

  /** A rate that is written as a fraction, above 0 and up to `max`. */
  rate(key: string, max: number): number | undefined {
    const [numerator = NaN, denominator = NaN] = (this.text(key) ?? '').split('/').map(Number);
    const rate = numerator / denominator;
    return rate > 0 && rate <= max ? rate : undefined;
  }

  /** True for 1. */
  flag(key: string): boolean {
    return this.number(key) === 1;
  }

  /** The object of a key; an empty one if there is none. */
  child(key: string): ProbeFields {
    const value = this.#object[key];
    return new ProbeFields(isObject(value) ? value : {});
  }

  /** The objects of a list, at most 256. */
  children(key: string): ProbeFields[] {
    const value = this.#object[key];
    const list: unknown[] = Array.isArray(value) ? value.slice(0, MAX_CHILDREN) : [];
    return list.filter(isObject).map((object) => new ProbeFields(object));
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
