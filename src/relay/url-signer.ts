import { createHmac, timingSafeEqual } from 'node:crypto';

/** Name of the query parameter that carries a signature. */
export const SIGNATURE_PARAMETER = 's';

/** 128 bits of an HMAC-SHA256. */
const SIGNATURE_BYTES = 16;

/**
 * Signs what relayed playlists name, so that nobody can ask for anything else. A path always gets the same signature, which
 * holds as long as the secret does.
 */
export class UrlSigner {
  readonly #secret: string | Buffer;

  /** @param secret at least 128 bits that only this server knows */
  constructor(secret: string | Buffer) {
    this.#secret = secret;
  }

  /** The signature of a path below `/relay/`, e.g. `news/v0/index.m3u8`: 22 characters of base64url. */
  sign(path: string): string {
    const digest = createHmac('sha256', this.#secret).update(`relay ${path}`).digest();
    return digest.subarray(0, SIGNATURE_BYTES).toString('base64url');
  }

  /** Tells whether a signature is that of the path, in a time that tells nothing about where it differs. */
  isSigned(path: string, signature: string): boolean {
    const given = Buffer.from(signature);
    const right = Buffer.from(this.sign(path));
    return given.length === right.length && timingSafeEqual(given, right);
  }
}
