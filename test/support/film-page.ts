import type { Browser, Page } from 'playwright-core';
import { READ_PICTURE_NUMBER } from './picture-number.ts';
import { until } from './poll.ts';

/** Frames a second of the films that it looks at. */
const RATE = 24;

/** What a page with a film shows at one moment. */
export interface FilmSight {
  /** Where the player says that it is. */
  readonly timeS: number;
  /** Where the picture is, by the number drawn into it. */
  readonly pictureS: number;
  readonly height: number;
  readonly isPlaying: boolean;
  /** Subtitles on the screen. */
  readonly texts: readonly string[];
}

/** Looks at the pages that play timecoded films (see `writeTimecodedFilm`), whatever plays them. */
export class FilmPage {
  readonly page: Page;
  /** What went wrong in the page: errors, and what its policy forbade. */
  readonly problems: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.problems.push(error.message));
    page.on('console', (message) => {
      if (/Content Security Policy|Refused/.test(message.text())) this.problems.push(message.text());
    });
  }

  static async open(browser: Browser, url: string): Promise<FilmPage> {
    const film = new FilmPage(await browser.newPage());
    await film.page.goto(url);
    return film;
  }

  /** Picture, time and subtitles, of the same moment. */
  async look(): Promise<FilmSight> {
    const { frame, ...seen } = await this.page.evaluate<Omit<FilmSight, 'pictureS'> & { frame: number }>(`(() => {
      const video = document.querySelector('video');
      const shown = [...video.textTracks].filter(({ mode }) => mode === 'showing');
      return {
        timeS: video.currentTime,
        frame: (${READ_PICTURE_NUMBER})(video),
        height: video.videoHeight,
        isPlaying: !video.paused && !video.ended && !video.seeking && video.readyState > 2,
        texts: shown.flatMap(({ activeCues }) => [...(activeCues ?? [])].map(({ text }) => text)),
      };
    })()`);
    return { ...seen, pictureS: frame / RATE };
  }

  /** Looks until it sees what is wanted. */
  sees(what: string, isWanted: (sight: FilmSight) => boolean): Promise<FilmSight> {
    let last: FilmSight | undefined;
    return until(what, async () => {
      last = await this.look();
      return isWanted(last) && last;
    }).catch((error: unknown) => {
      throw new Error(
        `${String(error)}; the last sight was ${JSON.stringify(last)}; problems: ${this.problems.join()}`,
      );
    });
  }

  /** Waits until the picture is within a range and moves. */
  async plays(fromS: number, toS: number): Promise<FilmSight> {
    const isWithin = ({ pictureS, isPlaying }: FilmSight): boolean => isPlaying && pictureS >= fromS && pictureS < toS;
    const { pictureS: firstS } = await this.sees(`a picture from ${fromS} s until ${toS} s`, isWithin);
    return this.sees('a later picture', (sight) => sight.pictureS > firstS);
  }

  /** Waits until one subtitle is shown that `cueEachSecond` wrote, in the middle of its second of the picture. */
  subtitle(prefix: string): Promise<FilmSight> {
    return this.sees(`the subtitle of this second of ${prefix}`, ({ pictureS, texts }) => {
      const isSure = pictureS % 1 > 0.25 && pictureS % 1 < 0.75;
      return isSure && texts.join() === `${prefix} ${Math.floor(pictureS)}`;
    });
  }

  seek(timeS: number): Promise<void> {
    return this.page.evaluate(`void (document.querySelector('video').currentTime = ${timeS})`);
  }

  /** Waits until the loudest tone, in Hz, is as wanted, give or take the analyser's steps. */
  async sounds(hertz: number): Promise<void> {
    await this.page.evaluate(`(() => {
      if (window.ear) return;
      const context = new AudioContext();
      window.ear = context.createAnalyser();
      window.ear.fftSize = 8192;
      context.createMediaElementSource(document.querySelector('video')).connect(window.ear);
      window.ear.connect(context.destination);
    })()`);
    await until(`a tone of ${hertz} Hz`, async () => {
      const heard = await this.page.evaluate<number>(`(() => {
        const bins = new Float32Array(window.ear.frequencyBinCount);
        window.ear.getFloatFrequencyData(bins);
        const loudest = bins.indexOf(Math.max(...bins));
        return (loudest * window.ear.context.sampleRate) / window.ear.fftSize;
      })()`);
      return Math.abs(heard - hertz) < 20;
    });
  }

  close(): Promise<void> {
    return this.page.close();
  }
}
