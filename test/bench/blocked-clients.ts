import net from 'node:net';

/** What the clients' process is told to do. */
export type ClientsCommand =
  | { readonly type: 'connect'; readonly port: number; readonly count: number }
  | { readonly type: 'ask'; readonly path: string };

/** What it tells: all connected; or all answers of a round have arrived, the last one at that time of the machine's monotonic clock. */
export type ClientsReport =
  | { readonly type: 'connected' }
  | { readonly type: 'answered'; readonly lastAtMs: number; readonly statuses: Readonly<Record<string, number>> };

const HEAD_END = Buffer.from('\r\n\r\n');

const sockets: net.Socket[] = [];
let awaited = 0;
let statuses: Record<string, number> = {};

process.on('message', (command: ClientsCommand) => {
  if (command.type === 'connect') connect(command.port, command.count);
  else ask(command.path);
});

function connect(port: number, count: number): void {
  let connected = 0;
  for (let index = 0; index < count; index += 1) {
    const socket = net.connect(port, '127.0.0.1', () => {
      connected += 1;
      if (connected === count) report({ type: 'connected' });
    });
    let missing = 0;
    socket.on('data', (chunk) => {
      missing -= missing === 0 ? -bodyLeft(chunk) : chunk.length;
      if (missing === 0) onAnswer();
    });
    sockets.push(socket);
  }
}

function ask(path: string): void {
  awaited = sockets.length;
  statuses = {};
  const request = `GET ${path} HTTP/1.1\r\nHost: bench\r\nAccept-Encoding: gzip\r\nUser-Agent: bench\r\n\r\n`;
  for (const socket of sockets) socket.write(request);
}

/** Reads the head of an answer; gives what is missing of its body. */
function bodyLeft(chunk: Buffer): number {
  const headEnd = chunk.indexOf(HEAD_END);
  const head = chunk.toString('latin1', 0, headEnd);
  const status = head.slice(9, 12);
  statuses[status] = (statuses[status] ?? 0) + 1;
  return Number(/content-length: (\d+)/i.exec(head)?.[1]) - (chunk.length - headEnd - HEAD_END.length);
}

function onAnswer(): void {
  awaited -= 1;
  if (awaited > 0) return;
  report({ type: 'answered', lastAtMs: Number(process.hrtime.bigint()) / 1e6, statuses });
}

function report(message: ClientsReport): void {
  process.send?.(message);
}
