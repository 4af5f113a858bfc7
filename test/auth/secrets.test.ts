import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveSecrets } from '../../src/auth/secrets.ts';
import { loadConfig } from '../../src/config/load-config.ts';

let cwd: string;
let file: string;
beforeEach(() => {
  cwd = mkdtempSync(path.join(os.tmpdir(), 'laddercast-secrets-'));
  file = path.join(cwd, 'data', 'secrets.json');
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const resolve = (env: NodeJS.ProcessEnv = {}) => resolveSecrets(loadConfig({ argv: [], env, cwd }));

describe('secrets', () => {
  it('that nobody set are made at the first start, for the owner’s eyes only, and stay', async () => {
    const first = await resolve();
    expect(first.created).toEqual(['adminToken', 'streamKey']);
    expect(first.adminToken).toMatch(/^[\w-]{32}$/);
    expect(first.streamKey).toMatch(/^[\w-]{20}$/);
    expect(first.urlSecret).toMatch(/^[\w-]{43}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await resolve()).toEqual({ ...first, created: [] });
  });

  it('of the configuration win and are never written down', async () => {
    const env = { LADDERCAST_ADMIN_TOKEN: 'configured-token', LADDERCAST_STREAM_KEY: 'configured-key' };
    expect(await resolve(env)).toMatchObject({
      adminToken: 'configured-token',
      streamKey: 'configured-key',
      created: [],
    });
    expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')) as object)).toEqual(['urlSecret']);
    await resolve({ LADDERCAST_ADMIN_TOKEN: 'configured-token' });
    expect(readFileSync(file, 'utf8')).not.toContain('configured');
  });

  it('need no global stream key where broadcasts have their own', async () => {
    writeFileSync(path.join(cwd, 'laddercast.toml'), '[[streamKeys]]\nbroadcast = "live/a"\nkey = "key-of-a"\n');
    expect(await resolve()).toMatchObject({ streamKey: undefined, created: ['adminToken'] });
  });

  it('are locked again if their file was readable by others', async () => {
    await resolve();
    chmodSync(file, 0o644);
    await resolve();
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it.each(['{"adminToken": "hush-hu', '{"adminToken": 5}', '[]'])(
    'that are damaged stop the start: %s',
    async (text) => {
      mkdirSync(path.dirname(file));
      writeFileSync(file, text);
      await expect(resolve()).rejects.toThrow(/secrets\.json is damaged; delete it/);
      await expect(resolve()).rejects.not.toThrow(/hush/);
    },
  );
});
