import http2 from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { reasonOf } from '../../util/errors.ts';
import type { SecureTransport } from '../record.ts';

const TIMEOUT_MS = 10_000;

/** Connects with HTTP/2 over TLS and asks for the playlist; `undefined` for plain HTTP. */
export async function probeSecure(url: string, insecure: boolean): Promise<SecureTransport | undefined> {
  const { protocol, origin, pathname, search } = new URL(url);
  if (protocol !== 'https:') return undefined;
  const options = { rejectUnauthorized: !insecure, ALPNProtocols: ['h2', 'http/1.1'] };
  return new Promise((resolve) => {
    const session = http2.connect(origin, options);
    const facts = { tlsVersion: undefined, alpn: undefined, http2Status: undefined, failure: undefined };
    const seen: { -readonly [K in keyof SecureTransport]: SecureTransport[K] } = facts;
    const finish = (failure?: string): void => {
      clearTimeout(timer);
      session.destroy();
      resolve({ ...seen, failure });
    };
    const timer = setTimeout(() => finish(`no answer over HTTP/2 within ${TIMEOUT_MS} ms`), TIMEOUT_MS);
    session.on('error', (error) => finish(reasonOf(error)));
    session.on('connect', (_, socket) => {
      seen.tlsVersion = (socket as TLSSocket).getProtocol() ?? undefined;
      const { alpnProtocol } = socket as TLSSocket;
      seen.alpn = typeof alpnProtocol === 'string' ? alpnProtocol : undefined;
    });
    const request = session.request({ ':path': pathname + search });
    request.on('error', (error) => finish(reasonOf(error)));
    request.on('response', (headers) => {
      seen.http2Status = headers[':status'];
      finish();
    });
    request.end();
  });
}
