import { type ChildProcess, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { until } from './poll.ts';

interface RtspServerOptions {
  /** Answers every request with this instead, e.g. `302 Moved` and a `Location`. */
  readonly refusal?: { readonly status: string; readonly headers?: string };
  /** Says nothing at all. */
  readonly silent?: boolean;
}

/**
 * A camera: an RTSP 1.0 server (RFC 2326) that sends H.264 and G.711, interleaved in its one connection. ffmpeg makes the
 * RTP packets.
 */
export class RtspServer {
  /** Request lines, in order. */
  readonly requests: string[] = [];
  readonly #options: RtspServerOptions;
  readonly #server = net.createServer((socket) => this.#serve(socket));
  readonly #sockets = new Set<net.Socket>();
  readonly #udp: dgram.Socket[] = [];
  #encoder: ChildProcess | undefined;
  #sdp = '';

  private constructor(options: RtspServerOptions) {
    this.#options = options;
  }

  static async start(options: RtspServerOptions = {}): Promise<RtspServer> {
    const server = new RtspServer(options);
    await once(server.#server.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Begins to send. */
  async encode(): Promise<this> {
    const ports: number[] = [];
    for (let track = 0; track < 2; track += 1) ports.push(await this.#receive(track));
    // Should the test be killed, they end by themselves.
    const inputs = [
      ...['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=120'],
      ...['-f', 'lavfi', '-i', 'sine=sample_rate=8000:duration=120'],
    ];
    const video = ['-map', '0:v', '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '25'];
    const outputs = [
      ...[...video, '-pix_fmt', 'yuv420p', '-f', 'rtp', `rtp://127.0.0.1:${ports[0]}?pkt_size=1200`],
      ...['-map', '1:a', '-c:a', 'pcm_mulaw', '-f', 'rtp', `rtp://127.0.0.1:${ports[1]}`],
    ];
    const stdio = ['ignore', 'pipe', 'ignore'] as const;
    this.#encoder = spawn('ffmpeg', ['-re', ...inputs, ...outputs, '-sdp_file', 'pipe:1'], { stdio: [...stdio] });
    this.#encoder.stdout?.on('data', (text: Buffer) => (this.#sdp += text.toString()));
    await until('the SDP', () => this.#sdp.includes('m=audio'));
    return this;
  }

  async close(): Promise<void> {
    this.#encoder?.kill('SIGKILL');
    for (const socket of this.#sockets) socket.destroy();
    for (const socket of this.#udp) socket.close();
    await once(this.#server.close(), 'close');
  }

  async #receive(track: number): Promise<number> {
    // RTCP goes to the port after it, where nobody listens.
    const socket = dgram.createSocket('udp4');
    this.#udp.push(socket);
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.on('message', (packet) => {
      const head = Buffer.from([0x24, track * 2, packet.length >> 8, packet.length & 0xff]);
      for (const viewer of this.#sockets)
        if (viewer.listenerCount('playing') > 0) viewer.write(Buffer.concat([head, packet]));
    });
    return socket.address().port;
  }

  #serve(socket: net.Socket): void {
    this.#sockets.add(socket);
    let text = '';
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const request = text.slice(text.search(/[A-Z_]+ rtsp/), end);
        text = text.slice(end + 4);
        this.requests.push(request.split('\r\n', 1)[0]!);
        if (this.#options.silent !== true) socket.write(this.#answer(request, socket));
      }
    });
  }

  #answer(request: string, socket: net.Socket): string {
    const sequence = /^CSeq: (\d+)/im.exec(request)?.[1] ?? '0';
    const answer = (status: string, headers = '', body = ''): string =>
      `RTSP/1.0 ${status}\r\nCSeq: ${sequence}\r\n${headers}${body === '' ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`;
    const { refusal } = this.#options;
    if (refusal !== undefined) return answer(refusal.status, refusal.headers);
    const [method = '', url = ''] = request.split(' ');
    if (method === 'OPTIONS') return answer('200 OK', 'Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n');
    if (method === 'DESCRIBE') {
      let track = 0;
      const sdp = this.#sdp.replace(/^SDP:\r?\n/, '').replace(/(m=(?:video|audio)) \d+/g, '$1 0');
      const controlled = sdp.replace(/(a=rtpmap:[^\r\n]+)/g, (line) => `${line}\r\na=control:track${track++}`);
      const staticAudio = controlled.includes('track1') ? '' : `a=control:track${track}\r\n`;
      const body = `${controlled.trimEnd()}\r\n${staticAudio}`;
      return answer('200 OK', 'Content-Type: application/sdp\r\n', body);
    }
    const session = 'Session: 1\r\n';
    if (method === 'SETUP') {
      const channel = url.endsWith('track1') ? 2 : 0;
      return answer('200 OK', `${session}Transport: RTP/AVP/TCP;unicast;interleaved=${channel}-${channel + 1}\r\n`);
    }
    if (method === 'PLAY') socket.on('playing', () => undefined);
    return answer('200 OK', session);
  }
}
