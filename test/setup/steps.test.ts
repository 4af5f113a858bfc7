import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { build } from '../../src/setup/steps/build.mjs';
import { provideChromium } from '../../src/setup/steps/chromium.mjs';
import { provideFfmpeg } from '../../src/setup/steps/ffmpeg.mjs';
import { checkNodeVersion } from '../../src/setup/steps/node-version.mjs';
import { installPackages } from '../../src/setup/steps/packages.mjs';
import { provideTestPrograms } from '../../src/setup/steps/test-programs.mjs';

let root: string;
let bin: string;
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'laddercast-setup-'));
  bin = path.join(root, 'bin');
  mkdirSync(bin);
  symlinkSync('/bin/sh', path.join(bin, 'sh'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Puts a program on the PATH of the test: a shell script, which notes its calls in `calls`. */
const program = (name: string, script: string): string => {
  const file = path.join(bin, name);
  writeFileSync(file, `#!/bin/sh\necho "${name} $*" >> "${root}/calls"\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
};
const calls = (): string[] => {
  try {
    return readFileSync(path.join(root, 'calls'), 'utf8').trim().split('\n');
  } catch {
    return [];
  }
};
const env = (more: Record<string, string> = {}): NodeJS.ProcessEnv => ({ PATH: bin, ...more });
const quiet = (): void => undefined;
const ffmpegScript = (version: string, libavcodec: string, encoder = 'Encoder libx264 [H.264]:'): string =>
  `case "$*" in *-version*) echo "ffmpeg version ${version} Copyright"; echo "libavcodec     ${libavcodec}.100 / x";; *) echo "${encoder}";; esac`;

describe('the Node.js check', () => {
  it.each(['20.19.0', '20.20.2', '22.13.0', '22.20.1', '24.0.0', '26.1.0'])('takes %s', (version) => {
    expect(checkNodeVersion(version)).toBe(version);
  });

  it.each(['18.20.0', '20.18.9', '21.7.0', '22.12.0', '23.11.0'])('refuses %s and says what to install', (version) => {
    expect(() => checkNodeVersion(version)).toThrow(/20\.19 or newer.*24/);
  });
});

describe('the ffmpeg step', () => {
  const provide = (more: Record<string, string> = {}, isRoot = false) =>
    provideFfmpeg({ env: env(more), isRoot }, quiet);

  it('takes the ffmpeg on the PATH', async () => {
    const file = program('ffmpeg', ffmpegScript('5.1.9-0+deb12u1', '59. 37'));
    expect(await provide()).toBe(`5.1.9-0+deb12u1 (${file})`);
  });

  it('prefers the one that LADDERCAST_FFMPEG names', async () => {
    program('ffmpeg', ffmpegScript('5.1', '59. 37'));
    const mine = program('my-ffmpeg', ffmpegScript('N-112-gabc', '61. 3'));
    expect(await provide({ LADDERCAST_FFMPEG: mine })).toBe(`N-112-gabc (${mine})`);
  });

  it.each([
    ['is too old', ffmpegScript('4.4.2-0ubuntu0.22.04.1', '58.134'), /4\.4\.2.*too old.*LADDERCAST_FFMPEG=/],
    ['cannot encode H.264', ffmpegScript('6.0', '60. 3', 'Codec libx264 is not recognized'), /without libx264/],
    ['does not run', 'exit 127', /does not run/],
  ])('refuses one that %s', async (_what, script, message) => {
    program('ffmpeg', script);
    await expect(provide()).rejects.toThrow(message);
  });

  it('refuses a named one that is not there, rather than taking another', async () => {
    program('ffmpeg', ffmpegScript('5.1', '59. 37'));
    await expect(provide({ LADDERCAST_FFMPEG: '/nowhere/ffmpeg' })).rejects.toThrow(/\/nowhere\/ffmpeg.*does not run/);
  });

  it('installs the system’s package as root, with fresh package lists', async () => {
    const script = ffmpegScript('5.1.9', '59. 37').replaceAll('"', '\\"').replaceAll('$', '\\$');
    program(
      'apt-get',
      `case "$1" in install) printf '#!/bin/sh\\n%s\\n' "${script}" > "${bin}/ffmpeg"; /bin/chmod 755 "${bin}/ffmpeg";; esac`,
    );
    expect(await provide({}, true)).toBe(`5.1.9 (${path.join(bin, 'ffmpeg')})`);
    expect(calls()).toEqual(['apt-get update', 'apt-get install -y --no-install-recommends ffmpeg']);
  });

  it('names the command to run when it may not install', async () => {
    program('apt-get', '');
    await expect(provide()).rejects.toThrow(
      'run: sudo apt-get update && sudo apt-get install -y --no-install-recommends ffmpeg',
    );
    expect(calls()).toEqual([]);
  });

  it('shows what the package manager said when it fails', async () => {
    program('dnf', 'echo "no mirror"; exit 1');
    await expect(provide({}, true)).rejects.toThrow(/"dnf install -y ffmpeg" failed:\n {4}no mirror/);
  });

  it('says what is missing where there is no package manager', async () => {
    await expect(provide({}, true)).rejects.toThrow(/ffmpeg 5\.1 or newer is missing; install "ffmpeg"/);
  });
});

describe('the Chromium step', () => {
  const provide = (more: Record<string, string> = {}) => provideChromium({ env: env(more), isRoot: false }, quiet);

  it('takes any of the usual names, and the one that is named first', async () => {
    const chrome = program('google-chrome', 'echo "Google Chrome 150"');
    expect(await provide()).toBe(`Google Chrome 150 (${chrome})`);
    const chromium = program('chromium', 'echo "Chromium 150"');
    expect(await provide()).toBe(`Chromium 150 (${chromium})`);
    expect(await provide({ LADDERCAST_CHROMIUM: chrome })).toBe(`Google Chrome 150 (${chrome})`);
  });

  it('names the command to run when there is none', async () => {
    program('apt-get', '');
    await expect(provide()).rejects.toThrow(/sudo apt-get install .*chromium/);
  });
});

describe('the step for proxies and players', () => {
  const provide = (isRoot = false) => provideTestPrograms({ env: env(), isRoot, serverFolders: [] }, quiet);

  it('installs what is missing, all at once', async () => {
    program('nginx', '');
    program('apt-get', '');
    expect(await provide(true)).toBe('installed varnishd, gst-launch-1.0');
    expect(calls()).toEqual([
      'apt-get update',
      expect.stringMatching(/^apt-get install -y --no-install-recommends varnish gstreamer1\.0-tools .*1\.0-libav$/),
    ]);
  });

  it('has nothing to do where they are there, servers in folders of their own included', async () => {
    for (const name of ['varnishd', 'gst-launch-1.0']) program(name, '');
    const folder = path.join(root, 'sbin');
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'nginx'), '', { mode: 0o755 });
    const context = { env: env(), isRoot: true, serverFolders: [folder] };
    expect(await provideTestPrograms(context, quiet)).toBe('varnishd, nginx, gst-launch-1.0');
    expect(calls()).toEqual([]);
  });

  it('lets the rest go on where they cannot be installed, and says what to run', async () => {
    expect(await provide(true)).toMatch(/varnishd, nginx.*package manager\n.*tests that need them fail/);
    program('apt-get', 'echo "no mirror"; exit 1');
    expect(await provide()).toMatch(/run: sudo apt-get update && sudo apt-get install .*varnish nginx-light/);
    expect(await provide(true)).toMatch(/no mirror/);
  });
});

describe('the packages step', () => {
  const lock = (packages: object): string => JSON.stringify({ packages: { '': { name: 'x' }, ...packages } });
  const wanted = { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '2.0.0', optional: true } };
  const install = (installed: object | undefined, npm = '') => {
    program('npm', npm);
    writeFileSync(path.join(root, 'package-lock.json'), lock(wanted));
    mkdirSync(path.join(root, 'node_modules'));
    if (installed !== undefined) writeFileSync(path.join(root, 'node_modules/.package-lock.json'), lock(installed));
    return installPackages({ root, env: env() }, quiet);
  };

  it('skips what is there, optional packages of other platforms aside', async () => {
    expect(await install({ 'node_modules/a': { version: '1.0.0' } })).toBe('there already');
    expect(calls()).toEqual([]);
  });

  it.each([
    ['nothing is there', undefined],
    ['a package is missing', {}],
    ['a package has another version', { 'node_modules/a': { version: '1.0.1' } }],
  ])('installs from the lockfile, tools included, when %s', async (_what, installed) => {
    expect(await install(installed)).toBe('installed');
    expect(calls()).toEqual(['npm ci --include=dev --no-progress']);
  });

  it('shows what npm said when it fails', async () => {
    await expect(install(undefined, 'echo "npm error network"; exit 1')).rejects.toThrow(/npm error network\n.*npm ci/);
  });

  it('says so when there is no lockfile', async () => {
    await expect(installPackages({ root, env: env() }, quiet)).rejects.toThrow(/package-lock\.json is missing/);
  });
});

describe('the build step', () => {
  const run = () => build({ root, env: env() }, quiet);
  const source = () => path.join(root, 'src', 'deep', 'a.ts');
  beforeEach(() => {
    mkdirSync(path.join(root, 'src', 'deep'), { recursive: true });
    for (const file of [source(), path.join(root, 'tsconfig.json'), path.join(root, 'package-lock.json')]) {
      writeFileSync(file, '{}');
    }
    program('npm', `/bin/mkdir -p "${root}/dist"`);
  });

  it('builds once, and again only when a source has other content', async () => {
    expect(await run()).toBe('built');
    expect(await run()).toBe('up to date');
    utimesSync(source(), 1, 1);
    expect(await run()).toBe('up to date');
    writeFileSync(source(), 'other');
    expect(await run()).toBe('built');
    writeFileSync(path.join(root, 'src', 'new.ts'), '');
    expect(await run()).toBe('built');
    expect(calls()).toHaveLength(3);
  });

  it('builds again after a build that failed, and shows what it said', async () => {
    await run();
    writeFileSync(source(), 'wrong');
    program('npm', 'echo "a.ts(1,1): error TS1"; exit 2');
    await expect(run()).rejects.toThrow(/error TS1/);
    writeFileSync(source(), '{}');
    program('npm', '');
    expect(await run()).toBe('built');
  });
});
