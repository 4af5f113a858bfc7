import { type ChildProcess, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { TS_AAC, TS_H264, TS_PICTURE, TS_TONE } from './transport-streams.ts';

/** A live picture with B-frames, and a tone, in real time; not for ever, should the test be killed. */
const LIVE = ['-v', 'error', '-re', ...TS_PICTURE, '-re', ...TS_TONE, ...TS_H264, ...TS_AAC, '-t', '120'];
/** It begins late in the source's clock, as a stream that has run for hours does. */
const TRANSPORT_STREAM = ['-output_ts_offset', '95430', '-f', 'mpegts'];

/** Processes and servers that send what a test pulls; all end with `close()`. */
export class StreamSenders {
  readonly #children = new Set<ChildProcess>();
  readonly #servers = new Set<http.Server>();
  /** Requests that the HTTP servers got. */
  requests = 0;

  /** A live transport stream over HTTP, as a receiver box serves it; each request gets an encoder of its own. */
  async http(): Promise<string> {
    const server = http.createServer((_, response) => {
      this.requests += 1;
      const child = this.#spawn([...LIVE, ...TRANSPORT_STREAM, 'pipe:1'], 'pipe');
      response.writeHead(200, { 'content-type': 'video/mp2t' });
      child.stdout?.pipe(response).on('close', () => child.kill('SIGKILL'));
    });
    this.#servers.add(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/channel/1`;
  }

  /** Breaks all HTTP connections. */
  cut(): void {
    for (const server of this.#servers) server.closeAllConnections();
  }

  /** An RTMP server that serves whoever plays first. */
  async rtmp(): Promise<string> {
    const url = `rtmp://127.0.0.1:${await freePort()}/live/channel`;
    this.#spawn([...LIVE, '-f', 'flv', '-listen', '1', url]);
    return url;
  }

  /** An SRT listener that wants a passphrase. */
  async srt(): Promise<string> {
    const address = `srt://127.0.0.1:${await freeUdpPort()}`;
    this.#spawn([...LIVE, ...TRANSPORT_STREAM, `${address}?mode=listener&passphrase=opensesame1`]);
    return `${address}?passphrase=opensesame1&latency=120000`;
  }

  close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    this.cut();
    for (const server of this.#servers) server.close();
    return Promise.resolve();
  }

  #spawn(args: readonly string[], stdout: 'pipe' | 'ignore' = 'ignore'): ChildProcess {
    const child = spawn('ffmpeg', args, { stdio: ['ignore', stdout, 'ignore'] });
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    return child;
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}

async function freeUdpPort(): Promise<number> {
  const socket = dgram.createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}
