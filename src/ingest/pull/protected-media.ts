import { AppError } from '../../util/errors.ts';

/** Tells what only players with the right decryption can play: trying again does not help. */
export class ProtectedMediaError extends AppError {
  /** @param method how it is encrypted, as the source calls it */
  constructor(method: string) {
    super(
      'BAD_MEDIA',
      `the source is encrypted with ${method.slice(0, 80)}, which cannot be decoded here; use mode "relay"`,
    );
  }
}
