import type { FastifyRequest } from 'fastify';
import type { ClientListener, ClientSignal } from '../hls/playback.ts';

/** Tells when the client of a request has gone: `request.signal`, at a fraction of its cost. Takes one listener at a time. */
export class RequestSignal implements ClientSignal {
  readonly #raw: FastifyRequest['raw'];
  #onClose: (() => void) | undefined;

  constructor({ raw }: FastifyRequest) {
    this.#raw = raw;
  }

  get aborted(): boolean {
    return this.#raw.destroyed;
  }

  addEventListener(_type: 'abort', listener: ClientListener): void {
    this.#onClose = () => listener.handleEvent();
    this.#raw.once('close', this.#onClose);
  }

  removeEventListener(): void {
    if (this.#onClose !== undefined) this.#raw.off('close', this.#onClose);
    this.#onClose = undefined;
  }
}
