import type { Server } from 'node:http';
import type { Http2SecureServer, SecureServerOptions } from 'node:http2';
import { ConnectionTable } from './connection-table.ts';
import { HTTP_LIMITS } from './http-limits.ts';

/** Private key and certificate chain, both PEM. */
export interface TlsCertificate {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
}

/**
 * How a port that speaks both HTTP/2 and HTTP/1.1 is encrypted and bounded. Node itself ends HTTP/2 connections that flood
 * it with resets, pings or settings; these are the bounds that it leaves to us.
 */
export function tlsOptions({ key, cert }: TlsCertificate): SecureServerOptions {
  return {
    ...{ key, cert, allowHTTP1: true, minVersion: 'TLSv1.2' },
    handshakeTimeout: HTTP_LIMITS.handshakeTimeoutMs,
    maxSessionMemory: HTTP_LIMITS.maxSessionMemoryMb,
    maxHeaderListPairs: HTTP_LIMITS.maxHeaderPairs,
    settings: {
      maxConcurrentStreams: HTTP_LIMITS.maxConcurrentStreams,
      maxHeaderListSize: HTTP_LIMITS.maxHeaderBytes,
      enablePush: false,
    },
  };
}

/** Sets what the framework sets for plain HTTP/1.1 only, so that both kinds of server have the same bounds. */
export function boundServer(server: Server | Http2SecureServer): ConnectionTable {
  server.maxConnections = HTTP_LIMITS.maxConnections;
  // An HTTP/2 server reads these for its HTTP/1.1 connections when it begins to listen.
  Object.assign(server, {
    headersTimeout: HTTP_LIMITS.headersTimeoutMs,
    requestTimeout: HTTP_LIMITS.requestTimeoutMs,
    keepAliveTimeout: HTTP_LIMITS.keepAliveTimeoutMs,
    connectionsCheckingInterval: HTTP_LIMITS.requestCheckMs,
  });
  return new ConnectionTable(server, HTTP_LIMITS.maxConnectionsPerAddress);
}
