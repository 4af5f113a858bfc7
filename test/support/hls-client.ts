/** One entry of a media playlist. */
export interface ListedSegment {
  readonly msn: number;
  readonly durationS: number;
  readonly url: string;
  readonly mapUrl: string;
  readonly discontinuity: boolean;
  readonly gap: boolean;
  readonly programDateTimeMs: number | undefined;
}

/** A media playlist as a player reads it. */
export interface ParsedMediaPlaylist {
  readonly mediaSequence: number;
  readonly discontinuitySequence: number;
  readonly targetDurationS: number;
  readonly ended: boolean;
  readonly segments: readonly ListedSegment[];
}

/** A variant or rendition of a multivariant playlist: its attributes and where its media playlist is. */
export interface ListedRendition {
  readonly attributes: Readonly<Record<string, string>>;
  readonly url: string;
}

/** A multivariant playlist as a player reads it. */
export interface ParsedMultivariant {
  readonly variants: readonly ListedRendition[];
  readonly media: readonly ListedRendition[];
}

/** Splits an attribute list (RFC 8216, 4.2) into unquoted values. */
export function parseAttributes(list: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name, quoted, plain] of list.matchAll(/([A-Z0-9-]+)=(?:"([^"]*)"|([^,]*))/g)) {
    attributes[name!] = quoted ?? plain ?? '';
  }
  return attributes;
}

/** Reads a multivariant playlist; relative URIs are resolved against `baseUrl`. */
export function parseMultivariant(text: string, baseUrl: string): ParsedMultivariant {
  const lines = text.trim().split('\n');
  const variants: ListedRendition[] = [];
  const media: ListedRendition[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('#EXT-X-STREAM-INF:')) {
      const uri = lines[index + 1] ?? '';
      variants.push({ attributes: parseAttributes(line.slice(18)), url: new URL(uri, baseUrl).href });
    } else if (line.startsWith('#EXT-X-MEDIA:')) {
      const attributes = parseAttributes(line.slice(13));
      media.push({ attributes, url: new URL(attributes['URI'] ?? '', baseUrl).href });
    }
  }
  return { variants, media };
}

/** Reads a media playlist; relative URIs are resolved against `baseUrl`. */
export function parseMediaPlaylist(text: string, baseUrl: string): ParsedMediaPlaylist {
  const header = (tag: string): number | undefined => {
    const match = new RegExp(`^#${tag}:(\\d+)`, 'm').exec(text);
    return match === null ? undefined : Number(match[1]);
  };
  const mediaSequence = header('EXT-X-MEDIA-SEQUENCE') ?? 0;
  const segments: ListedSegment[] = [];
  let mapUrl = '';
  let next = { durationS: 0, discontinuity: false, gap: false, programDateTimeMs: undefined as number | undefined };
  for (const line of text.trim().split('\n')) {
    const [tag, value = ''] = line.split(/:(.*)/s);
    if (tag === '#EXTINF') next.durationS = parseFloat(value);
    else if (tag === '#EXT-X-DISCONTINUITY') next.discontinuity = true;
    else if (tag === '#EXT-X-GAP') next.gap = true;
    else if (tag === '#EXT-X-PROGRAM-DATE-TIME') next.programDateTimeMs = Date.parse(value);
    else if (tag === '#EXT-X-MAP') mapUrl = new URL(parseAttributes(value)['URI'] ?? '', baseUrl).href;
    else if (line !== '' && !line.startsWith('#')) {
      segments.push({ ...next, msn: mediaSequence + segments.length, url: new URL(line, baseUrl).href, mapUrl });
      next = { durationS: 0, discontinuity: false, gap: false, programDateTimeMs: undefined };
    }
  }
  return {
    mediaSequence,
    discontinuitySequence: header('EXT-X-DISCONTINUITY-SEQUENCE') ?? 0,
    targetDurationS: header('EXT-X-TARGETDURATION') ?? 0,
    ended: /^#EXT-X-ENDLIST/m.test(text),
    segments,
  };
}

/** Fetches a text, or `undefined` for anything but 200. */
export async function fetchText(url: string): Promise<string | undefined> {
  const response = await fetch(url);
  const text = await response.text();
  return response.status === 200 ? text : undefined;
}

/** Fetches and reads a multivariant playlist, `undefined` while there is none. */
export async function fetchMultivariant(url: string): Promise<ParsedMultivariant | undefined> {
  const text = await fetchText(url);
  return text === undefined ? undefined : parseMultivariant(text, url);
}

/** Fetches and reads a media playlist, `undefined` while there is none. */
export async function fetchMediaPlaylist(url: string): Promise<ParsedMediaPlaylist | undefined> {
  const text = await fetchText(url);
  return text === undefined ? undefined : parseMediaPlaylist(text, url);
}

/** Fetches bytes. */
export async function fetchBytes(url: string): Promise<Buffer> {
  const response = await fetch(url);
  if (response.status !== 200) throw new Error(`${response.status} for ${url}`);
  return Buffer.from(await response.arrayBuffer());
}
