import type { FastifyRequest } from 'fastify';

/** Whether the client says that it has this very version (RFC 9110, 13.1.2: weak comparison). */
export function hasVersion({ headers }: FastifyRequest, etag: string): boolean {
  const given = headers['if-none-match'];
  if (given === undefined) return false;
  const tags = given.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag.replace(/^W\//, ''));
}

/** Whether the client can read gzip (RFC 9110, 12.5.3). */
export function takesGzip({ headers }: FastifyRequest): boolean {
  const codings = (headers['accept-encoding'] ?? '').toLowerCase().split(',');
  return codings.some((coding) => /^\s*(gzip|\*)\s*(;\s*q=(1|0?\.\d*[1-9]\d*|1\.0*))?\s*$/.test(coding));
}
