import type { Page } from 'playwright-core';
import { READ_PICTURE_NUMBER } from './picture-number.ts';
import { until } from './poll.ts';

/** What a page showed at one moment. */
export interface SeenPicture {
  readonly wallMs: number;
  /** Drawn into the picture: see `writeTimecodedFilm`. */
  readonly number: number;
  readonly height: number;
  /** Of sound, decoded so far by this video element. */
  readonly soundBytes: number;
}

/** Numbers of pictures, the first and the one behind the last. */
export type PictureRange = readonly [from: number, to: number];

/** Notes the pictures of a page that plays a timecoded film. */
export class SeenPictures {
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  /** Begins to note, ten times a second. */
  static async of(page: Page): Promise<SeenPictures> {
    await page.evaluate(`(() => {
      const read = ${READ_PICTURE_NUMBER};
      window.seenPictures = [];
      setInterval(() => {
        const video = document.querySelector('video');
        if (!video || video.videoHeight === 0) return;
        window.seenPictures.push({
          wallMs: performance.timeOrigin + performance.now(),
          number: read(video),
          height: video.videoHeight,
          soundBytes: video.webkitAudioDecodedByteCount,
        });
      }, 100);
    })()`);
    return new SeenPictures(page);
  }

  /** All so far; of one film if its numbers are told. */
  async all([from, to]: PictureRange = [0, Infinity]): Promise<SeenPicture[]> {
    const seen = await this.#page.evaluate<SeenPicture[]>('window.seenPictures');
    return seen.filter(({ number }) => number >= from && number < to);
  }

  /** Waits until as many different pictures of a film were seen. */
  async see(what: string, range: PictureRange, count: number, timeoutMs?: number): Promise<SeenPicture[]> {
    let seen: SeenPicture[] = [];
    await until(
      what,
      async () => {
        seen = await this.all(range);
        return new Set(seen.map(({ number }) => number)).size >= count;
      },
      timeoutMs,
    ).catch(async (error: unknown) => {
      const numbers = (await this.all()).map(({ number }) => number);
      throw new Error(`${String(error)}; the last pictures were ${numbers.slice(-20).join()}`, { cause: error });
    });
    return seen;
  }
}
