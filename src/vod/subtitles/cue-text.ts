const MAX_CHARS = 2_000;
/** Tags of WebVTT: with classes, and for a voice or a language with a text. */
const KNOWN_TAG =
  /^<(?:\/?(?:b|i|u|c|ruby|rt|v|lang)|(?:b|i|u|c|ruby|rt|v|lang)(?:\.[\w-]{1,40}){1,8}|(?:v|lang)(?:\.[\w-]{1,40}){0,8} [^<>&]{1,100})>$/;
const TIME_TAG = /^<(?:\d{2,5}:)?\d{2}:\d{2}\.\d{3}>$/;
const SOME_TAG = /^<\/?[a-z][^<>]*>$/i;
const PIECES = /<[^<>\n]*>|&(?:amp|lt|gt|nbsp|lrm|rlm|#\d{1,7}|#x[\da-f]{1,6});|[<>&]/gi;
/** What is left of the vector drawings of ASS once their override tags have gone. */
const DRAWING = /^m(?:\s+(?:[mnlbspc]|-?\d+(?:\.\d+)?))+$/;
const KNOWN_SETTING = /^(?:vertical|line|position|size|align):[\w%.,-]{1,30}$/;

/**
 * Makes subtitle text from anywhere fit for WebVTT: unknown tags go, known ones stay, everything else that would be markup
 * is escaped, blank lines go. Text that is clean already stays as it is. Empty if there is nothing to show.
 */
export function cleanCueText(raw: string): string {
  const text = raw
    .slice(0, MAX_CHARS)
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f]+/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('\n')
    .replace(PIECES, (piece) => {
      if (KNOWN_TAG.test(piece) || TIME_TAG.test(piece)) return piece;
      if (SOME_TAG.test(piece)) return '';
      return piece.length > 1 && piece.startsWith('&') ? piece : piece.replace(/[<>&]/g, escaped);
    });
  return DRAWING.test(text) ? '' : text;
}

function escaped(char: string): string {
  return char === '<' ? '&lt;' : char === '>' ? '&gt;' : '&amp;';
}

/** Keeps of a cue's settings what places a text; regions are not kept, hence nothing may refer to one. */
export function cleanCueSettings(raw: string): string {
  const known = raw.split(/\s+/).filter((setting) => KNOWN_SETTING.test(setting));
  return known.slice(0, 5).join(' ');
}
