import net from 'node:net';
import { AppError } from '../../util/errors.ts';

/** Probing of what is no transport stream yet; all of it is held back at the start. */
const PROBE = ['-probesize', '1000000', '-analyzeduration', '500000'];
const TIMEOUT_US = '5000000';
const TRANSPORT_STREAM = [
  ...['-c:v', 'copy', '-muxdelay', '0', '-muxpreload', '0', '-pes_payload_size', '0', '-flush_packets', '1'],
  ...['-f', 'mpegts'],
];
const MAX_LATENCY_US = 30_000_000;
/** Words that ffmpeg takes out of the query of an RTSP address as orders to itself. */
const RTSP_ORDERS = /(^|&)(udp|tcp|http|https|multicast|udp_multicast)(&|$)/i;

/** How ffmpeg is to read a source that is not HTTP, and to put it out as a transport stream. */
export interface ProtocolInput {
  /** What comes after `-i`: names the checked address, not the host. */
  readonly url: string;
  /** Options before it; none of them but values of known parameters is the user's. */
  readonly options: readonly string[];
  readonly output: readonly string[];
  /** What must not be shown of all this. */
  readonly secrets: readonly string[];
}

/**
 * Makes ffmpeg's options for an rtsp(s), rtmp(s) or srt address.
 * @param address where its host was found to be; ffmpeg resolves no name by itself
 * @param hasSound whether its sound is wanted
 * @throws AppError `BAD_REQUEST` for another scheme, or a parameter that is not known
 */
export function protocolInput(source: URL, address: string, hasSound: boolean): ProtocolInput {
  const scheme = source.protocol.slice(0, -1);
  const host = net.isIP(address) === 6 ? `[${address}]` : address;
  const authority = `${host}${source.port === '' ? '' : `:${source.port}`}`;
  const common = ['-hide_banner', '-loglevel', 'warning', '-nostats'];
  const secrets = [source.username, source.password, decoded(source.password), source.search.slice(1)];
  switch (scheme) {
    case 'rtsp':
    case 'rtsps': {
      if (RTSP_ORDERS.test(source.search.slice(1))) {
        throw new AppError(
          'BAD_REQUEST',
          'rtsp sources are read over one TCP connection; leave "?udp" and the like out',
        );
      }
      const protocols = scheme === 'rtsp' ? 'rtsp,tcp' : 'rtsp,rtsps,tls,tcp';
      return {
        url: `${scheme}://${credentials(source)}${authority}${source.pathname}${source.search}`,
        options: [
          ...[...common, ...PROBE, '-protocol_whitelist', protocols, '-rtsp_transport', 'tcp', '-timeout', TIMEOUT_US],
          ...['-allowed_media_types', 'video+audio', '-f', 'rtsp'],
        ],
        // Cameras send sound in codecs that a transport stream has no place for, at rates that make frames long.
        output: [...maps(hasSound), '-c:a', 'aac', '-b:a', '128k', '-ar', '48000', ...TRANSPORT_STREAM],
        secrets,
      };
    }
    case 'rtmp':
    case 'rtmps': {
      const protocols = scheme === 'rtmp' ? 'rtmp,tcp' : 'rtmps,tls,tcp';
      return {
        url: `${scheme}://${credentials(source)}${authority}${source.pathname}${source.search}`,
        options: [
          ...[...common, ...PROBE, '-protocol_whitelist', protocols, '-rw_timeout', TIMEOUT_US],
          // Servers with several names tell them apart by this.
          ...['-rtmp_live', 'live', '-rtmp_tcurl', `${scheme}://${source.host}/${appOf(source)}`, '-f', 'flv'],
        ],
        output: [...maps(hasSound), '-c:a', 'copy', ...TRANSPORT_STREAM],
        secrets,
      };
    }
    case 'srt': {
      const parameters = srtParameters(source.searchParams);
      return {
        url: `srt://${authority}`,
        options: [
          ...[...common, '-protocol_whitelist', 'srt', '-mode', 'caller', '-transtype', 'live', '-timeout', TIMEOUT_US],
          ...[...parameters.flat(), '-f', 'data'],
        ],
        // It carries a transport stream, which is passed on as it is.
        output: ['-map', '0', '-c', 'copy', '-flush_packets', '1', '-f', 'data'],
        secrets: [...secrets, ...parameters.map(([, value]) => value)],
      };
    }
    default: {
      throw new AppError('BAD_REQUEST', `"${scheme}" is none of rtsp, rtsps, rtmp, rtmps and srt`);
    }
  }
}

function maps(hasSound: boolean): string[] {
  return ['-map', '0:v:0?', ...(hasSound ? ['-map', '0:a:0?'] : [])];
}

function credentials({ username, password }: URL): string {
  if (username === '' && password === '') return '';
  return `${username}${password === '' ? '' : `:${password}`}@`;
}

/** As ffmpeg finds it: all but the last part of the path, and at most two of them. */
function appOf({ pathname }: URL): string {
  const parts = pathname.split('/').slice(1);
  return parts.slice(0, parts.length > 2 ? 2 : 1).join('/');
}

/** The parameters that an SRT address may have, as options. */
function srtParameters(query: URLSearchParams): [option: string, value: string][] {
  const options: [string, string][] = [];
  for (const [name, value] of query) {
    const isKnown = SRT_PARAMETERS.get(name)?.(value);
    if (isKnown !== true) {
      const reason = isKnown === undefined ? 'is not one that is known' : 'has a value that it cannot have';
      throw new AppError(
        'BAD_REQUEST',
        `the parameter ${JSON.stringify(name.slice(0, 40))} of the srt address ${reason}`,
      );
    }
    if (name !== 'mode' && name !== 'transtype') options.push([`-${name}`, value]);
  }
  return options;
}

const isLatency = (value: string): boolean => /^\d{1,8}$/.test(value) && Number(value) <= MAX_LATENCY_US;
const SRT_PARAMETERS = new Map<string, (value: string) => boolean>([
  ['mode', (value) => value === 'caller'],
  ['transtype', (value) => value === 'live'],
  ['passphrase', (value) => /^[ -~]{10,79}$/.test(value)],
  ['pbkeylen', (value) => ['16', '24', '32'].includes(value)],
  ['streamid', (value) => /^[ -~]{1,512}$/.test(value)],
  ['latency', isLatency],
  ['rcvlatency', isLatency],
  ['peerlatency', isLatency],
]);

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
