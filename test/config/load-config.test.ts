import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HELP, parseCommandLine } from '../../src/config/command-line.ts';
import { loadConfig, renderConfig } from '../../src/config/load-config.ts';

let cwd: string;
beforeEach(() => void (cwd = mkdtempSync(path.join(os.tmpdir(), 'laddercast-config-'))));
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const load = (options: { argv?: string[]; env?: NodeJS.ProcessEnv; file?: string } = {}) => {
  if (options.file !== undefined) writeFileSync(path.join(cwd, 'laddercast.toml'), options.file);
  return loadConfig({ argv: options.argv ?? [], env: options.env ?? {}, cwd });
};

describe('the configuration', () => {
  it('has defaults for everything but secrets', () => {
    const config = load();
    expect(config).toMatchObject({
      host: '0.0.0.0',
      rtmpPort: 1935,
      httpPort: 8080,
      dataDir: path.join(cwd, 'data'),
      logLevel: 'info',
      ladders: ['default'],
      publish: { takeover: 'when-silent', silentMs: 2000 },
      hls: { segmentTargetMs: 2000, windowSegments: 8, partTargetMs: 500 },
    });
    expect(config.adminToken).toBeUndefined();
    expect(config.streamKey).toBeUndefined();
  });

  it('lets the file win over defaults, the environment over the file, and flags over all', () => {
    const file = 'host = "1.1.1.1"\nrtmpPort = 1\nhttpPort = 1\n[hls]\nwindowSegments = 12\n';
    const env = { LADDERCAST_RTMP_PORT: '2', LADDERCAST_HTTP_PORT: '2', LADDERCAST_HOST: '' };
    const config = load({ file, env, argv: ['--http-port', '3'] });
    expect(config).toMatchObject({ host: '1.1.1.1', rtmpPort: 2, httpPort: 3 });
    expect(config.hls).toMatchObject({ segmentTargetMs: 2000, windowSegments: 12, partTargetMs: 500 });
  });

  it('is frozen all the way down', () => {
    const config = load();
    expect(() => ((config.hls as { windowSegments: number }).windowSegments = 1)).toThrow(TypeError);
    expect(() => config.ladders.push('x')).toThrow(TypeError);
    expect(load().ladders).toEqual(['default']);
  });

  it('starts relative paths of the file at the file’s folder', () => {
    const folder = mkdtempSync(path.join(cwd, 'etc-'));
    const file = path.join(folder, 'my.toml');
    writeFileSync(file, 'dataDir = "state"\nladders = ["default", "./mine.toml"]\n');
    const config = load({ argv: ['--config', file] });
    expect(config.dataDir).toBe(path.join(folder, 'state'));
    expect(config.ladders).toEqual(['default', path.join(folder, 'mine.toml')]);
  });

  it('splits lists of the environment', () => {
    const config = load({
      env: { LADDERCAST_ALLOW_PRIVATE: '10.0.0.0/8, 127.0.0.1', LADDERCAST_MEDIA_ROOT: `a${path.delimiter}b` },
    });
    expect(config.allowPrivate).toEqual(['10.0.0.0/8', '127.0.0.1']);
    expect(config.mediaRoots).toEqual([path.join(cwd, 'a'), path.join(cwd, 'b')]);
  });

  it('takes stream keys with a TOML date', () => {
    const config = load({
      file: '[[streamKeys]]\nbroadcast = "live/a"\nkey = "12345678"\nexpires = 2030-01-02T03:04:05Z\n',
    });
    expect(config.streamKeys).toEqual([{ broadcast: 'live/a', key: '12345678', expires: '2030-01-02T03:04:05.000Z' }]);
  });

  it.each([
    ['an unknown key', 'rtmpport = 1', /laddercast\.toml: unknown key "rtmpport"/],
    ['an unknown key of a table', '[hls]\nparts = 1', /laddercast\.toml: unknown key "hls\.parts"/],
    ['a port out of range', 'rtmpPort = 70000', /"rtmpPort" must be <= 65535, but is 70000/],
    ['a wrong type', 'host = 5', /"host" must be string, but is 5/],
    ['a wrong choice', 'logLevel = "loud"', /"logLevel" must be one of "trace", .*"silent", but is "loud"/],
    ['a window that is too small', '[hls]\nwindowSegments = 3', /"hls\.windowSegments" must be >= 6/],
    ['parts longer than segments', '[hls]\npartTargetMs = 3000', /"hls\.partTargetMs" \(3000\) must not exceed/],
    ['RTMPS without a certificate', 'rtmpsPort = 443', /"rtmpsPort" needs "tls\.cert"/],
    ['a disk budget below 1 GB', '[storage]\nsizeGb = 0.5', /"storage\.sizeGb" must be/],
    ['a disk budget of no share', '[storage]\nsizeGb = "0%"', /"storage\.sizeGb" must be/],
    ['broken TOML', 'host = "x', /laddercast\.toml, line 1, column \d+/],
    ['half a certificate', '[tls]\ncert = "a.pem"', /"tls\.key" is missing/],
  ])('refuses %s and says where it is', (_what, file, message) => {
    expect(() => load({ file })).toThrow(message);
  });

  it.each([
    ['2.5', 2.5],
    ['"10%"', '10%'],
    ['"100%"', '100%'],
  ])('takes a disk budget of %s', (text, sizeGb) => {
    expect(load({ file: `[storage]\nsizeGb = ${text}` }).storage.sizeGb).toBe(sizeGb);
  });

  it.each([
    ['an unknown flag', ['--rtmpport', '1'], /command line: .*--rtmpport/],
    ['a stray word', ['serve'], /command line: /],
    ['a flag without its value', ['--host'], /command line: .*--host/],
    ['a port that is no number', ['--rtmp-port', '1e3'], /command line: "rtmpPort" must be integer, but is "1e3"/],
    ['a file that is not there', ['--config', 'nope.toml'], /nope\.toml cannot be read/],
  ])('refuses %s', (_what, argv, message) => {
    expect(() => load({ argv })).toThrow(message);
  });

  it('names the environment as the source of a fault', () => {
    expect(() => load({ env: { LADDERCAST_HTTP_PORT: 'x' } })).toThrow(/environment .*"httpPort" must be integer/);
  });

  it('never repeats a secret in an error', () => {
    const catchMessage = (run: () => unknown): string => {
      try {
        run();
      } catch (error) {
        return (error as Error).message;
      }
      throw new Error('nothing was thrown');
    };
    expect(catchMessage(() => load({ env: { LADDERCAST_ADMIN_TOKEN: 's3cret' } }))).not.toContain('s3cret');
    expect(catchMessage(() => load({ file: 'streamKey = "hush"' }))).not.toContain('hush');
    expect(catchMessage(() => load({ file: 'streamKey = "hush-hush" oops' }))).not.toContain('hush');
    expect(catchMessage(() => load({ file: 'adminToken = { a = "hush" }' }))).not.toContain('hush');
    expect(catchMessage(() => load({ file: '[[streamKeys]]\nbroadcast = "live/a"\nkey = "hush"' }))).not.toContain(
      'hush',
    );
  });

  it('hides secrets when it is shown', () => {
    const file = 'adminToken = "admin-secret"\n[[streamKeys]]\nbroadcast = "live/a"\nkey = "key-secret"\n';
    const shown = renderConfig(load({ file, env: { LADDERCAST_STREAM_KEY: 'stream-secret' } }));
    expect(shown).not.toContain('secret');
    expect(JSON.parse(shown)).toMatchObject({ adminToken: '[set]', streamKey: '[set]', rtmpPort: 1935 });
  });
});

describe('the command line', () => {
  it('tells help, check and serve apart', () => {
    expect(parseCommandLine([]).command).toBe('serve');
    expect(parseCommandLine(['--check']).command).toBe('check');
    expect(parseCommandLine(['--check', '--help']).command).toBe('help');
  });

  it('takes files to encode ahead of time, and flags with them', () => {
    const { command, files, settings } = parseCommandLine(['pre-encode', 'a.mkv', '--data-dir', 'd', 'b c.mp4']);
    expect({ command, files, settings }).toEqual({
      command: 'pre-encode',
      files: ['a.mkv', 'b c.mp4'],
      settings: { dataDir: 'd' },
    });
  });

  it('says that pre-encode needs files', () => {
    expect(() => parseCommandLine(['pre-encode'])).toThrow(/at least one file/);
    expect(parseCommandLine(['pre-encode', '--help']).command).toBe('help');
  });

  it('describes every flag that it takes', () => {
    for (const flag of ['config', 'data-dir', 'host', 'rtmp-port', 'http-port', 'media-root', 'check', 'help']) {
      expect(HELP).toContain(`--${flag}`);
    }
  });
});
