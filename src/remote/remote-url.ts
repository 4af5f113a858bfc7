import { AppError } from '../util/errors.ts';

const MAX_LABEL_CHARS = 300;

/** Where something lies on a web server. */
export interface RemoteUrl {
  /** Without user name, password and fragment. The query may be a secret. */
  readonly url: URL;
  /** Value of the `Authorization` header that the user name and password stand for. Secret. */
  readonly authorization: string | undefined;
  /** See `addressLabel()`. */
  readonly label: string;
}

/**
 * Reads an http or https address.
 * @throws AppError `BAD_REQUEST` if it is none
 */
export function parseRemoteUrl(text: string): RemoteUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new AppError('BAD_REQUEST', 'the address is no valid http or https address');
  }
  return remoteUrl(url);
}

/** Takes apart an http or https address. */
export function remoteUrl(given: URL): RemoteUrl {
  const url = new URL(given);
  const { username, password } = url;
  const credentials = Buffer.from(`${decode(username)}:${decode(password)}`).toString('base64');
  url.username = '';
  url.password = '';
  url.hash = '';
  return Object.freeze({
    url,
    authorization: username === '' && password === '' ? undefined : `Basic ${credentials}`,
    label: addressLabel(url),
  });
}

/**
 * An address of any scheme for people and logs, at most 300 characters: without credentials, query and fragment, and without
 * what stands in the middle of a longer path, where providers put user names and passwords; of rtmp without the stream key.
 */
export function addressLabel(address: URL | string): string {
  if (typeof address === 'string' && !URL.canParse(address)) return 'an address that cannot be read';
  const { protocol, host, pathname } = typeof address === 'string' ? new URL(address) : address;
  const [first = '', ...rest] = pathname.split('/').slice(1);
  const last = /^rtmps?:$/.test(protocol) && rest.length > 0 ? '…' : rest.at(-1);
  const shown = [first, ...(rest.length > 1 && last !== '…' ? ['…'] : []), ...(last === undefined ? [] : [last])];
  const path = pathname === '' ? '' : `/${shown.join('/')}`;
  return `${protocol}//${host}${path}`.slice(0, MAX_LABEL_CHARS);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
