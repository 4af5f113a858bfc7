import { cleanCueSettings, cleanCueText } from './cue-text.ts';
import type { Cue } from './cue.ts';

/** More cues than this in one track are left out. */
export const MAX_CUES = 50_000;

const TIME = String.raw`(?:(\d{1,5}):)?(\d{1,2}):(\d{2})[.,](\d{3})`;
const TIMING = new RegExp(String.raw`^\s*${TIME}\s+-->\s+${TIME}(?:\s+(.*))?$`);
const NO_CUE = /^(?:NOTE|STYLE|REGION)(?:\s|$)/;

/**
 * Reads the cues of a WebVTT text, in order of their time, cleaned, each once. It forgives what ffmpeg and people write: blank
 * lines within a text, a comma before the milliseconds, no header. Comments, styles and regions are left out.
 *
 * @param offsetMs Taken from every time; what would end before 0 is left out.
 */
export function readWebVtt(text: string, offsetMs = 0): Cue[] {
  const cues: RawCue[] = [];
  let last: RawCue | undefined;
  for (const block of blocksOf(text)) {
    if (NO_CUE.test(block)) last = undefined;
    else {
      const cue = rawCue(block);
      if (cue === undefined) last?.lines.push(block);
      else if (cues.length < MAX_CUES) cues.push((last = cue));
      else break;
    }
  }
  return inOrder(cues.map((cue) => cleanCue(cue, offsetMs)));
}

interface RawCue {
  readonly startMs: number;
  readonly endMs: number;
  readonly settings: string;
  readonly lines: string[];
}

function blocksOf(text: string): string[] {
  return text
    .replace(/^\uFEFF/, '')
    .replace(/\r\n?/g, '\n')
    .replace(/^WEBVTT.*/, '')
    .split(/\n{2,}/)
    .map((block) => block.replace(/^\n+/, ''))
    .filter((block) => block.trim() !== '');
}

/** The timing is in the first line, or in the second one after an identifier. */
function rawCue(block: string): RawCue | undefined {
  const lines = block.split('\n');
  const at = lines.slice(0, 2).findIndex((line) => TIMING.test(line));
  const match = TIMING.exec(lines[at] ?? '');
  if (match === null) return undefined;
  return {
    startMs: milliseconds(match.slice(1, 5)),
    endMs: milliseconds(match.slice(5, 9)),
    settings: match[9] ?? '',
    lines: lines.slice(at + 1),
  };
}

function milliseconds([hours = '0', minutes, seconds, thousandths]: readonly string[]): number {
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(thousandths);
}

function cleanCue({ startMs, endMs, settings, lines }: RawCue, offsetMs: number): Cue {
  return {
    startMs: Math.max(0, Math.round(startMs - offsetMs)),
    endMs: Math.round(endMs - offsetMs),
    settings: cleanCueSettings(settings),
    text: cleanCueText(lines.join('\n')),
  };
}

/** Layers of ASS repeat the same text at the same time. */
function inOrder(cues: readonly Cue[]): Cue[] {
  const keyOf = ({ startMs, endMs, settings, text }: Cue): string => `${startMs} ${endMs} ${settings}\n${text}`;
  const shown = cues.filter(({ startMs, endMs, text }) => endMs > startMs && text !== '');
  return [...new Map(shown.map((cue) => [keyOf(cue), cue])).values()].sort((a, b) => a.startMs - b.startMs);
}
