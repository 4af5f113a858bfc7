import { AppError } from '../util/errors.ts';
import { matchesSecret } from './secret-match.ts';

/** Guards what only admins may do. */
export class AdminToken {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  /**
   * @param authorization Value of the `Authorization` header: `Bearer TOKEN` (RFC 6750, 2.1).
   * @throws AppError `UNAUTHORIZED` if it is missing or wrong.
   */
  authorize(authorization: string | undefined): void {
    const given = /^bearer +([!-~]+) *$/i.exec(authorization ?? '')?.[1];
    if (given === undefined) {
      throw new AppError('UNAUTHORIZED', 'send the admin token in the header "Authorization: Bearer TOKEN"');
    }
    if (!matchesSecret(given, this.#token)) throw new AppError('UNAUTHORIZED', 'the admin token is wrong');
  }
}
