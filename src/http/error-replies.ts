import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyError, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify';
import { AppError, reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import type { ErrorReply } from './schemas.ts';

/** Codes of what fastify itself refuses. */
const CODE_BY_STATUS: Readonly<Record<number, string>> = Object.freeze({
  400: 'BAD_REQUEST',
  404: 'NOT_FOUND',
  413: 'TOO_LARGE',
  414: 'TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
});

/** The one shape of an error answer. */
export function errorReply(statusCode: number, code: string, message: string): ErrorReply {
  return { statusCode, error: STATUS_CODES[statusCode] ?? 'Error', code, message };
}

/** Answers whatever a handler, a hook or fastify threw. Faults of ours are logged and told without detail. */
export function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply, logger: Logger): void {
  const { statusCode, code, message } = toErrorReply(error);
  if (statusCode === 500) {
    logger.error(
      { method: request.method, url: loggedPath(request), reason: reasonOf(error), stack: error.stack },
      'request failed',
    );
  }
  if (statusCode === 401) void reply.header('www-authenticate', 'Bearer realm="laddercast"');
  void reply
    .code(statusCode)
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .send(errorReply(statusCode, code, message));
}

/** Neither the query nor the id of a session of a file: who knows it may play. */
function loggedPath({ url }: FastifyRequest): string {
  return (url.split('?')[0] ?? '').replace(/^(\/vod|\/api\/v1\/vod)\/[^/]+/, '$1/…');
}

/** Says which key of a body, query or path is wrong. */
export function describeInvalid(errors: FastifySchemaValidationError[], where: string): Error {
  const [error] = errors;
  if (error === undefined) return new Error(`${where} is not valid`);
  const { additionalProperty } = error.params;
  const key = error.instancePath.slice(1).replaceAll('/', '.');
  if (typeof additionalProperty === 'string') {
    return new Error(`${where} has the unknown field ${JSON.stringify(additionalProperty.slice(0, 100))}`);
  }
  return new Error(`${where}${key === '' ? '' : `: "${key}"`} ${error.message ?? 'is not valid'}`);
}

/** Answers bytes that are no HTTP request, on the bare socket. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const body = JSON.stringify(errorReply(status, 'BAD_REQUEST', 'this is not a request that the server can read'));
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nContent-Type: application/json\r\n`;
  // Nobody knows what it would have asked for, and the answer tells nothing: any page may read it, as with playback.
  const policy = 'Cache-Control: no-store\r\nAccess-Control-Allow-Origin: *\r\n';
  socket.end(`${head}${policy}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
}

function toErrorReply(error: FastifyError): ErrorReply {
  if (error instanceof AppError && error.statusCode < 500) {
    return errorReply(error.statusCode, error.code, error.message);
  }
  if (error instanceof AppError && error.code === 'UNAVAILABLE') {
    return errorReply(503, error.code, error.message);
  }
  const status = error.statusCode ?? 500;
  if (status < 500) return errorReply(status, CODE_BY_STATUS[status] ?? 'BAD_REQUEST', error.message);
  return errorReply(500, 'INTERNAL', 'the server failed to do this; its log says why');
}
