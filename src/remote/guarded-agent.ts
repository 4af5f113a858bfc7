import dns from 'node:dns';
import net, { type LookupFunction } from 'node:net';
import { Agent, buildConnector } from 'undici';
import type { AddressGuard } from './address-guard.ts';

const MAX_ORIGINS = 256;
const MAX_HEADER_BYTES = 16 * 1024;
/** Longer than most live segments last, so that a connection serves one after the other. */
const KEEP_ALIVE_MS = 15_000;

/** Time limits of one connection, ms. */
interface AgentTimeouts {
  readonly connectMs: number;
  /** From the request to the end of the answer's headers. */
  readonly headersMs: number;
  /** Between two pieces of a body that is being read. */
  readonly idleMs: number;
}

interface AgentOptions {
  readonly guard: AddressGuard;
  readonly timeouts: AgentTimeouts;
  /** Connections to one origin; further requests must not be sent, since one that waits here cannot be aborted. */
  readonly maxPerHost: number;
  /** How names are resolved [as the system does]. */
  readonly lookup?: LookupFunction | undefined;
}

/**
 * An HTTP client that connects to no address the guard forbids, whatever a name resolves to and whenever: literal hosts,
 * every resolved address and the connected socket are checked. It follows no redirect and decodes no body.
 */
export function guardedAgent({ guard, timeouts, maxPerHost, lookup = dns.lookup }: AgentOptions): Agent {
  const connect = buildConnector({ timeout: timeouts.connectMs, lookup: guardedLookup(guard, lookup) });
  return new Agent({
    connections: maxPerHost,
    keepAliveTimeout: KEEP_ALIVE_MS,
    pipelining: 1,
    maxOrigins: MAX_ORIGINS,
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.idleMs,
    maxHeaderSize: MAX_HEADER_BYTES,
    connect: (options, callback) => {
      const host = options.hostname.replace(/^\[|\]$/g, '');
      // For a literal address nothing is looked up.
      if (net.isIP(host) !== 0 && !guard.isAllowed(host)) {
        callback(forbidden(host), null);
        return;
      }
      connect(options, (...[error, socket]) => {
        if (error !== null) callback(error, null);
        else if (guard.isAllowed(socket.remoteAddress ?? '')) callback(null, socket);
        else {
          socket.destroy();
          callback(forbidden(host), null);
        }
      });
    },
  });
}

/** One forbidden address among many forbids the whole name. */
function guardedLookup(guard: AddressGuard, lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = Array.isArray(found) ? found : [];
      const [first] = addresses;
      if (error !== null) callback(error, []);
      else if (first === undefined || addresses.some(({ address }) => !guard.isAllowed(address))) {
        callback(forbidden(hostname), []);
      } else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

function forbidden(host: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`"${host}" is or resolves to an address that is not public`), { code: 'EFORBIDDEN' });
}
