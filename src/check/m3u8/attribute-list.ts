/** Attributes of a tag (draft-pantos-hls-rfc8216bis, section 4.2), quoted strings without their quotes. */
export type Attributes = ReadonlyMap<string, string>;

/** Splits an attribute list; what is no attribute is left out. */
export function parseAttributes(list: string): Attributes {
  const attributes = new Map<string, string>();
  for (const [, name = '', quoted, plain] of list.matchAll(/([A-Z0-9-]+)=(?:"([^"]*)"|([^",]*))/g)) {
    attributes.set(name, quoted ?? plain ?? '');
  }
  return attributes;
}

/** A decimal-integer, `undefined` for anything else. */
export function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;
}

/** A decimal-floating-point number, `undefined` for anything else. */
export function decimal(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}(\.\d{1,20})?$/.test(text.trim()) ? Number(text) : undefined;
}

/** `url` relative to `base`, or the text as it is if it is no URL. */
export function resolveUrl(url: string, base: string): string {
  return URL.canParse(url, base) ? new URL(url, base).href : url;
}
