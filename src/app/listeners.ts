import { readFile } from 'node:fs/promises';
import type { Config } from '../config/schema.ts';
import type { HttpDeps } from '../http/deps.ts';
import { selfSignedCertificate } from '../http/self-signed.ts';
import { createHttpServer, type HttpServerOptions, listenHttp } from '../http/server.ts';
import type { TlsCertificate } from '../http/transport.ts';
import type { PublisherGate } from '../ingest/publication.ts';
import { RtmpServer } from '../ingest/rtmp/rtmp-server.ts';
import type { WsIngest } from '../ingest/ws/ws-ingest.ts';
import type { Clock } from '../util/clock.ts';
import type { Closer } from '../util/closer.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';

/** Where a running server is reached. */
export interface ServerUrls {
  /** Without application: OBS takes `${rtmpUrl}/live`. */
  readonly rtmpUrl: string;
  readonly rtmpsUrl: string | undefined;
  readonly httpUrl: string;
  readonly httpsUrl: string | undefined;
}

/** What listens, and what it hands on to. */
interface ListenersOptions {
  readonly config: Config;
  readonly http: HttpDeps;
  readonly websocket: WsIngest;
  readonly gate: PublisherGate;
  /** How long playback may hold an answer back, ms. */
  readonly stalledMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly closer: Closer;
}

/** Where HTTPS listens with a certificate for local trials and no port of its own. */
const TRIAL_HTTPS_PORT = 8443;

/**
 * Opens every port that the configuration asks for; `closer` closes them.
 * @throws AppError that says what is in the way.
 */
export async function openPorts(options: ListenersOptions): Promise<ServerUrls> {
  const { config, stalledMs } = options;
  const { host, httpPort, rtmpPort, rtmpsPort } = config;
  const httpsPort = config.httpsPort ?? (config.selfSigned ? TRIAL_HTTPS_PORT : undefined);
  const tls = await certificate(config);
  // HTTP waits for upgraded sockets, so those have to end first: what is added last is closed first.
  const http = await listenOnHttp(options, httpPort, { stalledMs });
  const https =
    httpsPort === undefined || tls === undefined
      ? undefined
      : await listenOnHttp(options, httpsPort, { stalledMs, tls });
  options.closer.add(() => options.websocket.close());
  const rtmp = await listenOnRtmp(options, rtmpPort);
  const rtmps = rtmpsPort === undefined || tls === undefined ? undefined : await listenOnRtmp(options, rtmpsPort, tls);
  const url = (scheme: string, port: number): string => `${scheme}://${publicHost(host)}:${port}`;
  return {
    httpUrl: url('http', http),
    httpsUrl: https === undefined ? undefined : url('https', https),
    rtmpUrl: url('rtmp', rtmp),
    rtmpsUrl: rtmps === undefined ? undefined : url('rtmps', rtmps),
  };
}

async function listenOnHttp(
  { config, http: deps, websocket, closer }: ListenersOptions,
  port: number,
  serverOptions: HttpServerOptions,
): Promise<number> {
  const app = await createHttpServer(deps, serverOptions);
  closer.add(() => app.close());
  app.server.on('upgrade', (request, socket, head) => {
    if (websocket.handleUpgrade(request, socket, head)) return;
    socket.on('error', () => undefined);
    socket.destroy();
  });
  const flag = serverOptions.tls === undefined ? '--http-port' : '--https-port';
  return (await listenHttp(app, { host: config.host, port, flag })).port;
}

async function listenOnRtmp(
  { config, gate, clock, logger, closer }: ListenersOptions,
  port: number,
  tls?: TlsCertificate,
): Promise<number> {
  const server = new RtmpServer({ gate, host: config.host, port, logger, clock, ...(tls && { tls }) });
  closer.add(() => server.close());
  return (await server.listen()).port;
}

/** The configured certificate, or one for trials if that is what is asked for. */
async function certificate({ tls, selfSigned, dataDir }: Config): Promise<TlsCertificate | undefined> {
  if (tls === undefined) return selfSigned ? selfSignedCertificate(dataDir) : undefined;
  const read = async (file: string): Promise<Buffer> => {
    try {
      return await readFile(file);
    } catch (error) {
      throw new AppError('BAD_CONFIG', `certificate file ${file} cannot be read: ${reasonOf(error)}`, { cause: error });
    }
  };
  return { key: await read(tls.key), cert: await read(tls.cert) };
}

/** The name under which this machine reaches a server that listens on the given address. */
function publicHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
