import { config } from 'rxjs';

type Listener = (error: unknown) => void;

const listeners = new Set<Listener>();

// RxJS rethrows what a subscriber throws on a timer, which ends the process. One reader's fault must
// reach neither the process nor another reader, so it is reported here instead; the reader stays subscribed.
config.onUnhandledError = (error) => {
  for (const listener of listeners) listener(error);
};

/** Hears every error that a subscriber of the registry or of a track threw; returns the unsubscriber. */
export function onReaderError(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
