import { AppError } from '../../util/errors.ts';

/** Frames are there that nobody without a key can decode; `BAD_MEDIA`. */
export class EncryptedMediaError extends AppError {
  constructor() {
    super('BAD_MEDIA', 'the source is encrypted; only files without copy protection can be played');
    this.name = 'EncryptedMediaError';
  }
}
