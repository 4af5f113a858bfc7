import { resolveSecrets } from '../auth/secrets.ts';
import { FolderLock } from '../cache/folder-lock.ts';
import type { Config } from '../config/schema.ts';
import { startApp } from '../app.ts';
import type { Closable } from '../util/closer.ts';
import type { Logger } from '../util/logger.ts';

/** A server on this machine and the right to use its REST API. */
export interface LocalServer extends Closable {
  /** Base of its addresses. */
  readonly httpUrl: string;
  readonly adminToken: string;
}

/**
 * Finds the server that has the configured data folder, or starts one that nobody else can reach, to be closed after use.
 * @throws AppError as `startApp` does
 */
export async function localServer(config: Config, logger: Logger): Promise<LocalServer> {
  const running = await FolderLock.inspect(config.dataDir);
  const { adminToken } = await resolveSecrets(config);
  if (running?.httpUrl !== undefined) {
    return { httpUrl: running.httpUrl, adminToken, close: () => Promise.resolve() };
  }
  const own = { host: '127.0.0.1', rtmpPort: 0, httpPort: 0, selfSigned: false };
  const app = await startApp({ ...withoutTls(config), ...own }, logger);
  return { httpUrl: app.httpUrl, adminToken, close: () => app.close() };
}

function withoutTls(config: Config): Config {
  const copy: { -readonly [Key in keyof Config]: Config[Key] } = { ...config };
  delete copy.rtmpsPort;
  delete copy.httpsPort;
  delete copy.tls;
  return copy;
}
