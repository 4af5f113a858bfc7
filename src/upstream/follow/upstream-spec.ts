/** Where a source is and how it is asked. */
export interface UpstreamSpec {
  /** http or https addresses, best first; at least one. */
  readonly urls: readonly string[];
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly userAgent?: string | undefined;
  /** Requests at a time [4]; of several that share an upstream the smallest number counts. */
  readonly maxConnections?: number | undefined;
}

/** A text that is the same for specs that ask for the same in the same way, however many requests each allows. Holds secrets. */
export function specKey({ urls, headers = {}, userAgent }: UpstreamSpec): string {
  const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  named.sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([urls, named, userAgent ?? null]);
}
