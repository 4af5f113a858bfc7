import { createConnection, createServer, type Server } from 'node:net';

/** What a running server tells of itself to who is allowed into its data folder. Holds no secret. */
export interface LockInfo {
  readonly pid: number;
  /** Where it answers requests, once it does; no slash at the end. */
  readonly httpUrl?: string;
}

/** What a lock's socket says: it is still looking for others, or it is the only one. */
export interface LockState {
  readonly isHeld: boolean;
  readonly info: LockInfo;
}

/**
 * `dead`: nobody listens and nobody ever will; `gone`: it is not there; `ending`: somebody hung up, being about to go;
 * `silent`: somebody listens, or may.
 */
export type LockAnswer = LockState | 'dead' | 'gone' | 'ending' | 'silent';

const ANSWERS: Readonly<Record<string, LockAnswer>> = {
  ECONNREFUSED: 'dead',
  ENOENT: 'gone',
  ECONNRESET: 'ending',
  EPIPE: 'ending',
};

const MAX_ANSWER_BYTES = 64 * 1024;
const ANSWER_MS = 1_000;

/** Listens on a socket file and tells everybody who connects how things stand. Does not keep the process alive. */
export async function listenForLock(file: string, state: () => LockState): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.setTimeout(ANSWER_MS, () => socket.destroy());
    socket.end(`${JSON.stringify(state())}\n`);
  });
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(file, resolve);
  });
  server.on('error', () => undefined);
  return server;
}

/** Asks the socket of a lock. Never rejects. */
export function askLock(file: string): Promise<LockAnswer> {
  return new Promise((resolve) => {
    let text = '';
    const socket = createConnection(file);
    const finish = (answer: LockAnswer): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setEncoding('utf8');
    socket.setTimeout(ANSWER_MS, () => finish('silent'));
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_ANSWER_BYTES) finish('silent');
    });
    socket.on('end', () => finish(text === '' ? 'ending' : (parseState(text) ?? 'silent')));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      finish(ANSWERS[code ?? ''] ?? 'silent');
    });
  });
}

function parseState(text: string): LockState | undefined {
  try {
    const { isHeld, info } = JSON.parse(text) as Partial<LockState>;
    if (typeof isHeld !== 'boolean' || typeof info?.pid !== 'number') return undefined;
    return { isHeld, info: { pid: info.pid, ...(typeof info.httpUrl === 'string' && { httpUrl: info.httpUrl }) } };
  } catch {
    return undefined;
  }
}
