import { type NetConnectOpts, connect, type Socket } from 'node:net';

/** A connection whose client takes one byte at a time out of the kernel, each `pauseMs`; `onByte` gets it. */
export function connectByteReader(
  port: number,
  { pauseMs, onByte = () => undefined }: { pauseMs: number; onByte?: (byte: string) => void },
): Socket {
  const onread = {
    buffer: Buffer.alloc(1),
    callback: (_length: number, byte: Uint8Array): boolean => {
      onByte(String.fromCharCode(byte[0] ?? 0));
      if (pauseMs === 0) return true;
      setTimeout(() => socket.resume(), pauseMs);
      return false;
    },
  };
  const socket = connect({ port, host: '127.0.0.1', onread } as NetConnectOpts);
  socket.on('error', () => undefined);
  return socket;
}
