import type { SourceEntry } from '../config/source-entry.ts';
import { addressLabel } from '../remote/remote-url.ts';
import { customHeaders } from '../remote/request-headers.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import { addressesOf } from './source-address.ts';

/** Whether an address may be pulled from, as far as that can be told without asking anyone. */
export interface AddressRules {
  /** For http and https. @throws AppError `FORBIDDEN` */
  checkUrl(url: URL): void;
  /** For the host of all other schemes. @throws AppError `FORBIDDEN` */
  checkHost(host: string): void;
}

const HTTP = new Set(['http:', 'https:']);
const PROTOCOLS = new Set(['rtsp:', 'rtsps:', 'srt:', 'rtmp:', 'rtmps:']);
const SCHEMES = 'http, https, rtsp, rtsps, srt, rtmp and rtmps';

/**
 * Checks what the schema of a source cannot.
 * @throws AppError `BAD_REQUEST` for what cannot be a source, `FORBIDDEN` for what may not be one; both name the source
 */
export function checkSource(entry: SourceEntry, rules: AddressRules): void {
  const refuse = (message: string): never => {
    throw new AppError('BAD_REQUEST', `source "${entry.name}": ${message}`);
  };
  const { url, urls, mode, recorded, headers = {}, userAgent } = entry;
  if ((url === undefined) === (urls === undefined)) refuse('name either "url" or "urls"');
  const addresses = addressesOf(entry).map((address) => parse(address) ?? refuse(notUsable(address)));
  const isHttp = addresses.map(({ protocol }) => HTTP.has(protocol));
  const allHttp = isHttp.every(Boolean);
  if (!allHttp && isHttp.some(Boolean)) {
    refuse('its addresses must all be http(s), or all be rtsp(s), srt or rtmp(s); make two sources of them');
  }
  if (mode === 'relay' && !allHttp) refuse('only http and https can be relayed; use the mode "ladder"');
  if (!allHttp && (userAgent !== undefined || Object.keys(headers).length > 0)) {
    refuse('"headers" and "userAgent" are for http and https');
  }
  if (recorded !== undefined && (mode === 'relay' || !allHttp)) {
    refuse('"recorded" is for http(s) playlists in the mode "ladder"');
  }
  if (recorded === 'film' && (userAgent !== undefined || Object.keys(headers).length > 0)) {
    refuse('films are fetched without "headers" and "userAgent"; leave them out, or leave "recorded" out');
  }
  checkHeaders(headers, refuse);
  for (const address of addresses) checkAddress(address, rules, entry.name);
}

function parse(address: string): URL | undefined {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  return url !== undefined && url.host !== '' && (HTTP.has(url.protocol) || PROTOCOLS.has(url.protocol))
    ? url
    : undefined;
}

function notUsable(address: string): string {
  const scheme = /^([a-z][a-z\d+.-]*):/i.exec(address)?.[1];
  if (scheme !== undefined && !HTTP.has(`${scheme}:`.toLowerCase()) && !PROTOCOLS.has(`${scheme}:`.toLowerCase())) {
    return `"${scheme.slice(0, 32)}:" is not pulled from; ${SCHEMES} are`;
  }
  return 'an address is not valid; it must be whole, such as https://example.org/live.m3u8';
}

function checkHeaders(headers: Readonly<Record<string, string>>, refuse: (message: string) => never): void {
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  if (names.includes('user-agent')) refuse('set "userAgent" instead of the header');
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) refuse(`the header "${twice}" is there twice`);
  try {
    customHeaders(headers);
  } catch (error) {
    refuse(reasonOf(error));
  }
}

function checkAddress(url: URL, rules: AddressRules, name: string): void {
  try {
    if (HTTP.has(url.protocol)) rules.checkUrl(url);
    else rules.checkHost(url.hostname.replace(/^\[|\]$/g, ''));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, `source "${name}": ${addressLabel(url)}: ${error.message}`, { cause: error });
  }
}
