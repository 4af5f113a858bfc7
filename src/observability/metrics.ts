import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import {
  FILE_FIGURES,
  type FileFigures,
  type PublishedFigure,
  STORAGE_FIGURES,
  type StorageFigures,
} from './file-figures.ts';
import { SOURCE_FIGURES, type SourceFigures } from './source-figures.ts';

/** What the metrics need of one transcode row, see `GET /api/v1/transcodes`. */
export interface TranscodeFigures {
  readonly factory: string;
  readonly rendition: string;
  readonly state: string;
  readonly fragmentsSeen: number;
  readonly fragmentsOut: number;
  readonly dropped: number;
  readonly panics: Readonly<Record<'start' | 'fragment' | 'stop', number>>;
  readonly restarts: number;
  readonly lagMs?: number | undefined;
  readonly bitrateKbps?: number | undefined;
}

/** Where the figures come from: the very lists that REST shows, read when somebody asks. */
export interface MetricsSources {
  readonly transcodes: () => readonly TranscodeFigures[];
  readonly publishers: () => readonly { readonly protocol: string }[];
  /** How many broadcasts wait for their publisher, and how often one has come back to a broadcast that waited. */
  readonly waiting: () => number;
  readonly publisherReturns: () => number;
  /** Viewers of all broadcasts. */
  readonly viewers: () => number;
  /** Requests whose answer is held back until there is what they ask for. */
  readonly blockedRequests: () => number;
  /** Versions of playlists that were rendered so far; one serves all who ask for it. */
  readonly renderedPlaylists: () => number;
  readonly files: () => FileFigures;
  readonly storage: () => StorageFigures;
  /** Left out: nothing is pulled from elsewhere. */
  readonly remote?: () => SourceFigures;
}

const LABELS = ['factory', 'rendition'] as const;
type Label = (typeof LABELS)[number];

/** The figures of one server for Prometheus, in a registry of its own. Labels never name broadcasts, sessions or segments. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #sources: MetricsSources;

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    collectDefaultMetrics({ register: this.#registry });
    this.#counter('fragments_total', 'Fragments that transcoders were given', (row) => row.fragmentsSeen);
    this.#counter('output_fragments_total', 'Fragments that transcoders put out', (row) => row.fragmentsOut);
    this.#counter('dropped_fragments_total', 'Fragments lost because a transcoder fell behind', (row) => row.dropped);
    this.#counter('restarts_total', 'Restarts of transcoders after a failure', (row) => row.restarts);
    this.#panics();
    this.#highest('lag_seconds', 'Largest lag of output behind input', ({ lagMs }) => scaled(lagMs, 1e-3));
    this.#highest('bitrate_bits_per_second', 'Highest measured bitrate of a rung', ({ bitrateKbps }) =>
      scaled(bitrateKbps, 1e3),
    );
    this.#jobs();
    this.#publishers();
    const { waiting, viewers, publisherReturns, blockedRequests, renderedPlaylists } = sources;
    this.#gauge('broadcasts_waiting', 'Broadcasts whose publisher has gone and may come back', waiting);
    this.#gauge('viewers', 'Clients that asked for a playlist within the last seconds', viewers);
    this.#gauge('blocked_requests', 'Playback requests held back until there is what they ask for', blockedRequests);
    this.#total('publisher_returns', 'Publishers that came back to a broadcast that waited for them', publisherReturns);
    this.#total('rendered_playlists', 'Versions of media playlists that were rendered', renderedPlaylists);
    this.#publish(FILE_FIGURES, sources.files);
    this.#publish(STORAGE_FIGURES, sources.storage);
    if (sources.remote !== undefined) {
      this.#publish(SOURCE_FIGURES, sources.remote);
      this.#sourceStates(sources.remote);
    }
  }

  /** All figures as of now in Prometheus' text format, with its media type. */
  async render(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #counter(name: string, help: string, figure: (row: TranscodeFigures) => number): void {
    const { transcodes } = this.#sources;
    new Counter({
      name: `laddercast_transcode_${name}`,
      help,
      labelNames: LABELS,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const row of transcodes()) this.inc(labelsOf(row), figure(row));
      },
    });
  }

  /** The largest figure of a rung's rows; nothing where no row has one. */
  #highest(name: string, help: string, figure: (row: TranscodeFigures) => number | undefined): void {
    const { transcodes } = this.#sources;
    new Gauge({
      name: `laddercast_transcode_${name}`,
      help,
      labelNames: LABELS,
      registers: [this.#registry],
      collect() {
        this.reset();
        const highest = new Map<string, number>();
        for (const row of transcodes()) {
          const key = `${row.factory} ${row.rendition}`;
          const value = Math.max(figure(row) ?? -Infinity, highest.get(key) ?? -Infinity);
          highest.set(key, value);
          if (value !== -Infinity) this.set(labelsOf(row), value);
        }
      },
    });
  }

  #panics(): void {
    const { transcodes } = this.#sources;
    new Counter({
      name: 'laddercast_transcode_panics_total',
      help: 'Errors that transcoders threw, by the phase of their life',
      labelNames: [...LABELS, 'phase'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const row of transcodes()) {
          for (const phase of ['start', 'fragment', 'stop'] as const) {
            this.inc({ ...labelsOf(row), phase }, row.panics[phase]);
          }
        }
      },
    });
  }

  #jobs(): void {
    const { transcodes } = this.#sources;
    new Gauge({
      name: 'laddercast_transcode_jobs',
      help: 'Transcode rows by state',
      labelNames: [...LABELS, 'state'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const row of transcodes()) this.inc({ ...labelsOf(row), state: row.state });
      },
    });
  }

  #publishers(): void {
    const { publishers } = this.#sources;
    new Gauge({
      name: 'laddercast_publishers',
      help: 'Live publishers',
      labelNames: ['protocol'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const protocol of ['rtmp', 'rtmps', 'ws', 'pull']) this.set({ protocol }, 0);
        for (const { protocol } of publishers()) this.inc({ protocol });
      },
    });
  }

  #sourceStates(figures: () => SourceFigures): void {
    new Gauge({
      name: 'laddercast_source_state',
      help: 'Registered remote sources by state',
      labelNames: ['state'],
      registers: [this.#registry],
      collect() {
        for (const [state, sources] of Object.entries(figures().states)) this.set({ state }, sources);
      },
    });
  }

  #publish<Figures>(published: readonly PublishedFigure<Figures>[], figures: () => Figures): void {
    for (const { name, help, kind, figure } of published) {
      const read = (): number => figure(figures());
      if (kind === 'gauge') this.#gauge(name, help, read);
      else this.#total(name, help, read);
    }
  }

  #total(name: string, help: string, figure: () => number): void {
    new Counter({
      name: `laddercast_${name}_total`,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(figure());
      },
    });
  }

  #gauge(name: string, help: string, figure: () => number): void {
    new Gauge({
      name: `laddercast_${name}`,
      help,
      registers: [this.#registry],
      collect() {
        this.set(figure());
      },
    });
  }
}

function labelsOf({ factory, rendition }: TranscodeFigures): Record<Label, string> {
  return { factory, rendition };
}

function scaled(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}
