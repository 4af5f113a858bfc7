import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { AdminToken } from '../../src/auth/admin-token.ts';
import { BroadcasterRegistry } from '../../src/broadcast/registry.ts';
import type { HttpDeps } from '../../src/http/deps.ts';
import type { HttpApp } from '../../src/http/http-app.ts';
import { createHttpServer, type HttpServerOptions } from '../../src/http/server.ts';
import { LadderStore } from '../../src/ladder/ladder-store.ts';
import { silentLogger } from '../../src/util/logger.ts';

/** The admin token of every fixture. */
export const ADMIN_TOKEN = 'admin-token-of-the-tests';

/** The header that an admin sends. */
export const ADMIN = { authorization: `Bearer ${ADMIN_TOKEN}` };

/** An HTTP server with real ladders, a real registry, and quiet stand-ins for the media side. */
export class HttpFixture {
  readonly app: HttpApp;
  readonly deps: HttpDeps & { readonly directory: BroadcasterRegistry };
  readonly #folder: string;

  private constructor(app: HttpApp, deps: HttpFixture['deps'], folder: string) {
    this.app = app;
    this.deps = deps;
    this.#folder = folder;
  }

  static async create(overrides: Partial<HttpDeps> = {}, options: HttpServerOptions = {}): Promise<HttpFixture> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-http-'));
    const ladders = await LadderStore.open({
      ladders: [
        {
          name: 'default',
          match: ['*'],
          renditions: [{ name: '720p', width: 1280, height: 720, videoBitrateKbps: 2500, audioBitrateKbps: 128 }],
        },
        { name: 'radio', match: ['radio/*'], renditions: [{ name: 'sound', audioBitrateKbps: 64 }] },
      ],
      stateFile: path.join(folder, 'ladders.json'),
      logger: silentLogger,
    });
    const deps = {
      logger: silentLogger,
      adminToken: new AdminToken(ADMIN_TOKEN),
      ladders,
      publishers: { list: () => [], waiting: () => [], kick: () => false },
      runner: { list: () => [] },
      origin: { describe: () => [] },
      viewers: { count: () => 0 },
      encoders: { report: () => ({ ffmpeg: { path: 'ffmpeg', version: '5.1' }, encoders: [] }) },
      metrics: { render: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }) },
      publicMetrics: false,
      unreadyReason: () => undefined,
      playback: () => undefined,
      ...overrides,
      directory: new BroadcasterRegistry(),
    };
    return new HttpFixture(await createHttpServer(deps, options), deps, folder);
  }

  async close(): Promise<void> {
    await this.app.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
