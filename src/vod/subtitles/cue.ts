/** One subtitle: what is shown from when until when. Times are ms of the title's timeline; immutable. */
export interface Cue {
  readonly startMs: number;
  /** Later than `startMs`. */
  readonly endMs: number;
  /** WebVTT cue settings, e.g. `line:10% align:start`; often empty. */
  readonly settings: string;
  /** WebVTT cue text: no blank line, nothing but what WebVTT knows. */
  readonly text: string;
}
