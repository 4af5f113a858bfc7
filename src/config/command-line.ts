import { parseArgs } from 'node:util';
import { AppError, reasonOf } from '../util/errors.ts';

/** What the command line asks for. */
export interface CommandLine {
  /** `help` prints the usage, `check` the effective configuration; neither starts anything. */
  readonly command: 'serve' | 'help' | 'check' | 'pre-encode';
  /** What `pre-encode` is for, as given; paths are not resolved. */
  readonly files: readonly string[];
  /** Path of the configuration file, as given. */
  readonly configFile: string | undefined;
  /** Configuration keys set by flags; values not yet validated. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Text of `--help`. */
export const HELP = `Laddercast: live streaming with a rendition ladder.

  npm start -- [flags]                         start the server
  npx laddercast pre-encode FILE... [flags]    encode files ahead of time, so that they play at once

  --config FILE      configuration file (default: ./laddercast.toml if it is there)
  --data-dir DIR     folder for everything that outlives a restart (default: ./data)
  --host HOST        address to listen on (default: 0.0.0.0)
  --rtmp-port N      RTMP port, 0 = any free one (default: 1935)
  --http-port N      HTTP port, 0 = any free one (default: 8080)
  --https-port N     port of the same over TLS (needs [tls] in the file, or --self-signed)
  --self-signed      make a certificate for local trials; HTTPS listens on 8443 unless told otherwise
  --media-root DIR   folder with files to play; may be given more than once
  --check            print the effective configuration without secrets, and exit
  --help             print this, and exit

Environment: LADDERCAST_DATA_DIR, LADDERCAST_HOST, LADDERCAST_RTMP_PORT, LADDERCAST_HTTP_PORT,
  LADDERCAST_ADMIN_TOKEN, LADDERCAST_STREAM_KEY, LADDERCAST_LOG_LEVEL, LADDERCAST_FFMPEG,
  LADDERCAST_MEDIA_ROOT (several: separated by "${process.platform === 'win32' ? ';' : ':'}"),
  LADDERCAST_ALLOW_PRIVATE (CIDR list, separated by ",")

Order: defaults < configuration file < environment < flags. Keys that only the file has: rtmpsPort,
  [tls] cert, key; ladders; publicMetrics; [[streamKeys]] broadcast, key, expires;
  [publish] takeover, silentMs, maxPublishers, graceMs, slate;
  [hls] segmentTargetMs, windowSegments, partTargetMs, latency, dvrMs, dvrMaxMb, archive;
  [vod] segmentTargetMs, aheadSegments, maxEncoders, maxSessions, maxPerUser, maxPerSource, heartbeatMs;
  [storage] sizeGb, dvrMaxMb, archiveMaxMb; [[broadcasts]] broadcast, graceMs, slate, dvrMs, archive.
`;

/**
 * Reads what comes after `npm start --` or `npx laddercast`.
 * @throws AppError `BAD_CONFIG` that names an unknown command or flag, or a flag without its value.
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const { values, positionals } = parse(argv);
  const [word, ...files] = positionals;
  if (word !== undefined && word !== 'pre-encode') {
    throw new AppError('BAD_CONFIG', `command line: there is no command "${word}"; --help lists what there is`);
  }
  if (word === 'pre-encode' && files.length === 0 && values.help !== true) {
    throw new AppError('BAD_CONFIG', 'command line: pre-encode needs at least one file; --help shows how');
  }
  const settings: Record<string, unknown> = {};
  if (values['data-dir'] !== undefined) settings['dataDir'] = values['data-dir'];
  if (values.host !== undefined) settings['host'] = values.host;
  if (values['rtmp-port'] !== undefined) settings['rtmpPort'] = toNumber(values['rtmp-port']);
  if (values['http-port'] !== undefined) settings['httpPort'] = toNumber(values['http-port']);
  if (values['https-port'] !== undefined) settings['httpsPort'] = toNumber(values['https-port']);
  if (values['self-signed'] === true) settings['selfSigned'] = true;
  if (values['media-root'] !== undefined) settings['mediaRoots'] = values['media-root'];
  const command = values.help === true ? 'help' : values.check === true ? 'check' : (word ?? 'serve');
  return { command, files, configFile: values.config, settings };
}

/** Configuration keys set by the environment; empty variables count as not set. Values not yet validated. */
export function readEnvironment(env: NodeJS.ProcessEnv, pathDelimiter: string): Readonly<Record<string, unknown>> {
  const settings: Record<string, unknown> = {};
  const take = (key: string, name: string, convert: (text: string) => unknown = (text) => text): void => {
    const text = env[`LADDERCAST_${name}`];
    if (text !== undefined && text !== '') settings[key] = convert(text);
  };
  const list =
    (separator: string) =>
    (text: string): string[] =>
      text
        .split(separator)
        .map((item) => item.trim())
        .filter((item) => item !== '');
  take('dataDir', 'DATA_DIR');
  take('host', 'HOST');
  take('rtmpPort', 'RTMP_PORT', toNumber);
  take('httpPort', 'HTTP_PORT', toNumber);
  take('adminToken', 'ADMIN_TOKEN');
  take('streamKey', 'STREAM_KEY');
  take('logLevel', 'LOG_LEVEL');
  take('ffmpeg', 'FFMPEG');
  take('mediaRoots', 'MEDIA_ROOT', list(pathDelimiter));
  take('allowPrivate', 'ALLOW_PRIVATE', list(','));
  return settings;
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      allowPositionals: true,
      options: {
        config: { type: 'string' },
        'data-dir': { type: 'string' },
        host: { type: 'string' },
        'rtmp-port': { type: 'string' },
        'http-port': { type: 'string' },
        'https-port': { type: 'string' },
        'self-signed': { type: 'boolean' },
        'media-root': { type: 'string', multiple: true },
        check: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new AppError('BAD_CONFIG', `command line: ${reasonOf(error).split('\n')[0] ?? ''}; --help lists the flags`);
  }
}

/** The number that the text is, or the text itself, which the schema then refuses by name. */
function toNumber(text: string): unknown {
  return /^\d{1,9}$/.test(text) ? Number(text) : text;
}
