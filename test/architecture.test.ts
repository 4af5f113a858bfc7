import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const SRC = path.resolve(import.meta.dirname, '../src');

/** Which layers a layer may import from, besides itself. Data flows forwards; siblings meet at the registry. */
const ALLOWED: Record<string, readonly string[]> = {
  util: [],
  media: ['util'],
  broadcast: ['util', 'media'],
  ladder: ['util', 'media'],
  config: ['util'],
  auth: ['util', 'config'],
  observability: ['util', 'config'],
  remote: ['util'],
  ffmpeg: ['util'],
  cache: ['util'],
  upstream: ['util', 'cache', 'remote'],
  ingest: ['util', 'media', 'broadcast', 'ffmpeg', 'remote', 'upstream'],
  transcode: ['util', 'media', 'broadcast', 'ladder', 'ffmpeg'],
  hls: ['util', 'media', 'broadcast', 'cache'],
  stills: ['util', 'media', 'ffmpeg'],
  check: ['util'],
  relay: ['util', 'hls', 'remote', 'upstream'],
  sources: ['util', 'config', 'remote', 'upstream', 'ingest', 'relay'],
  'pre-encode': ['util'],
  vod: ['util', 'media', 'ladder', 'ffmpeg', 'transcode', 'cache', 'hls', 'remote', 'upstream'],
  http: [
    'util',
    'media',
    'broadcast',
    'ladder',
    'config',
    'auth',
    'observability',
    'ingest',
    'transcode',
    'cache',
    'hls',
    'stills',
    'relay',
    'sources',
    'vod',
  ],
  app: [
    'util',
    'media',
    'broadcast',
    'ladder',
    'config',
    'auth',
    'observability',
    'ingest',
    'ffmpeg',
    'transcode',
    'cache',
    'hls',
    'stills',
    'remote',
    'upstream',
    'relay',
    'sources',
    'vod',
    'http',
  ],
  main: ['util', 'config', 'observability', 'pre-encode', 'app'],
  cli: ['main'],
};

interface SourceFile {
  readonly name: string;
  readonly layer: string;
  readonly imports: readonly string[];
  readonly lines: number;
}

function layerOf(name: string): string {
  return name.split('/')[0]!.replace(/\.ts$/, '');
}

const files: SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.startsWith('web') && !name.endsWith('.d.ts'))
  .map((name) => {
    const text = readFileSync(path.join(SRC, name), 'utf8');
    const imports = ts
      .preProcessFile(text)
      .importedFiles.map(({ fileName }) => fileName)
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => path.relative(SRC, path.resolve(SRC, path.dirname(name), specifier)));
    return { name, layer: layerOf(name), imports, lines: text.split('\n').length };
  });

describe('the architecture', () => {
  it('has only layers that the table names', () => {
    expect([...new Set(files.map(({ layer }) => layer))].filter((layer) => !(layer in ALLOWED))).toEqual([]);
  });

  it('imports in the allowed directions only', () => {
    const wrong = files.flatMap(({ name, layer, imports }) =>
      imports
        .filter((imported) => layerOf(imported) !== layer && ALLOWED[layer]?.includes(layerOf(imported)) !== true)
        .map((imported) => `${name} -> ${imported}`),
    );
    expect(wrong).toEqual([]);
  });

  it('keeps files short enough to read', () => {
    expect(files.filter(({ lines }) => lines > 400).map(({ name, lines }) => `${name}: ${lines} lines`)).toEqual([]);
  });

  it('has no circular imports', () => {
    const byName = new Map(files.map((file) => [file.name, file]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (name: string, trail: readonly string[]): void => {
      if (trail.includes(name)) cycles.push([...trail.slice(trail.indexOf(name)), name].join(' -> '));
      else if (!done.has(name)) {
        for (const imported of byName.get(name)?.imports ?? []) visit(imported, [...trail, name]);
        done.add(name);
      }
    };
    for (const { name } of files) visit(name, []);
    expect(cycles).toEqual([]);
  });

  it('uses node-media-server and fluent-ffmpeg behind one module each', () => {
    const users = (library: string): string[] =>
      files
        .filter(({ name }) => new RegExp(`from '${library}`).test(readFileSync(path.join(SRC, name), 'utf8')))
        .map(({ name }) => name);
    expect(users('node-media-server')).toHaveLength(1);
    expect(users('fluent-ffmpeg')).toHaveLength(1);
  });
});
