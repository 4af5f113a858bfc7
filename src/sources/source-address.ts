import type { SourceEntry } from '../config/source-entry.ts';

/** The addresses of a source in the order in which they are tried. */
export function addressesOf({ url, urls }: SourceEntry): readonly string[] {
  return urls ?? (url === undefined ? [] : [url]);
}

/** `app/name` of the broadcast that a source becomes in ladder mode. */
export function broadcastOfSource(name: string): string {
  return `live/${name}`;
}

/** What of a source must not be seen in logs: passwords, queries and the values of its headers. */
export function secretsOf(entry: SourceEntry): string[] {
  const inAddresses = addressesOf(entry).flatMap((address) => {
    if (!URL.canParse(address)) return [];
    const { password, search } = new URL(address);
    return [password, search.slice(1)];
  });
  return [...Object.values(entry.headers ?? {}), ...inAddresses].filter((secret) => secret !== '');
}
