import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { deepFreeze } from '../util/deep-freeze.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import { checkSchema } from '../util/schema-check.ts';
import { parseCommandLine, readEnvironment } from './command-line.ts';
import { type Config, CONFIG_DEFAULTS, ConfigFile, SECRET_CONFIG_KEYS } from './schema.ts';

/** Where the configuration comes from. */
export interface ConfigSources {
  /** Flags, without node and the script. */
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Folder that relative paths of flags and environment start at; those in the file start at the file's folder. */
  readonly cwd: string;
}

type Settings = Readonly<Record<string, unknown>>;

/** Name of the file that is read if it is there and `--config` names no other. */
const DEFAULT_FILE = 'laddercast.toml';

/**
 * Reads defaults < file < environment < flags into one validated, frozen value.
 * @throws AppError `BAD_CONFIG` that names the source, the key, and what is wrong with it.
 */
export function loadConfig({ argv, env, cwd }: ConfigSources): Config {
  const { configFile, settings: flags } = parseCommandLine(argv);
  const environment = readEnvironment(env, path.delimiter);
  const file = readFile(configFile, cwd);
  check(file.settings, file.name);
  check(environment, 'environment (LADDERCAST_…)');
  check(flags, 'command line');
  const merged = [
    absolutePaths(CONFIG_DEFAULTS, cwd),
    absolutePaths(file.settings, path.dirname(path.resolve(cwd, file.name))),
    absolutePaths(environment, cwd),
    absolutePaths(flags, cwd),
  ].reduce(merge);
  const config = checkSchema(ConfigFile, merged, { subject: 'configuration', secretKeys: SECRET_CONFIG_KEYS });
  checkRules(config);
  return deepFreeze(config);
}

/** The configuration as JSON for `--check`, with every secret replaced. */
export function renderConfig(config: Config): string {
  const hidden = '[set]';
  const shown = {
    ...config,
    ...(config.adminToken !== undefined && { adminToken: hidden }),
    ...(config.streamKey !== undefined && { streamKey: hidden }),
    streamKeys: config.streamKeys.map((entry) => ({ ...entry, key: hidden })),
    sources: config.sources.map(({ name, mode }) => ({ name, mode, urls: hidden })),
  };
  return JSON.stringify(shown, undefined, 2);
}

/** Checks one source by itself, so that a fault is reported with the source's name. */
function check(settings: Settings, subject: string): void {
  checkSchema(ConfigFile, merge(CONFIG_DEFAULTS, settings), { subject, secretKeys: SECRET_CONFIG_KEYS });
}

function checkRules(config: Config): void {
  if (config.rtmpsPort !== undefined && config.tls === undefined) {
    throw new AppError('BAD_CONFIG', 'configuration: "rtmpsPort" needs "tls.cert" and "tls.key"');
  }
  if (config.httpsPort !== undefined && config.tls === undefined && !config.selfSigned) {
    throw new AppError('BAD_CONFIG', 'configuration: "httpsPort" needs "tls.cert" and "tls.key", or "selfSigned"');
  }
  if (config.hls.partTargetMs > config.hls.segmentTargetMs) {
    throw new AppError(
      'BAD_CONFIG',
      `configuration: "hls.partTargetMs" (${config.hls.partTargetMs}) must not exceed "hls.segmentTargetMs" (${config.hls.segmentTargetMs})`,
    );
  }
  const badDate = config.streamKeys.find(({ expires }) => expires !== undefined && Number.isNaN(Date.parse(expires)));
  if (badDate !== undefined) {
    throw new AppError(
      'BAD_CONFIG',
      `configuration: "streamKeys" of ${badDate.broadcast}: "${badDate.expires ?? ''}" is no date`,
    );
  }
}

function readFile(given: string | undefined, cwd: string): { name: string; settings: Settings } {
  const name = given ?? DEFAULT_FILE;
  let text: string;
  try {
    text = readFileSync(path.resolve(cwd, name), 'utf8');
  } catch (error) {
    if (given === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return { name, settings: {} };
    throw new AppError('BAD_CONFIG', `${name} cannot be read: ${reasonOf(error)}`, { cause: error });
  }
  try {
    return { name, settings: datesToText(parseToml(text)) as Settings };
  } catch (error) {
    // The parser quotes the lines around the fault, and one of those may hold a secret.
    const { line, column } = error as { line?: number; column?: number };
    const reason = reasonOf(error).split('\n')[0] ?? '';
    throw new AppError('BAD_CONFIG', `${name}, line ${line ?? '?'}, column ${column ?? '?'}: ${reason}`);
  }
}

function datesToText(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(datesToText);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, datesToText(child)]));
}

/** Tables are merged key by key, everything else is replaced. */
function merge(base: Settings, over: Settings): Settings {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isTable(below) && isTable(value) ? merge(below, value) : value;
  }
  return merged;
}

function isTable(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Paths start at the folder of whoever wrote them; a bare ffmpeg or ladder name is looked up elsewhere and stays. */
function absolutePaths(settings: Settings, folder: string): Settings {
  const absolute = (value: unknown): unknown => (typeof value === 'string' ? path.resolve(folder, value) : value);
  const ifPath = (value: unknown): unknown =>
    typeof value === 'string' && /[\\/]|\.toml$/.test(value) ? absolute(value) : value;
  const each = (value: unknown, convert: (item: unknown) => unknown): unknown =>
    Array.isArray(value) ? value.map(convert) : value;
  const withImage = (table: unknown): unknown =>
    isTable(table) && typeof table['slate'] === 'string' ? { ...table, slate: absolute(table['slate']) } : table;
  const { dataDir, ffmpeg, mediaRoots, ladders, tls, publish, broadcasts } = settings;
  return {
    ...settings,
    ...(dataDir !== undefined && { dataDir: absolute(dataDir) }),
    ...(ffmpeg !== undefined && { ffmpeg: ifPath(ffmpeg) }),
    ...(mediaRoots !== undefined && { mediaRoots: each(mediaRoots, absolute) }),
    ...(ladders !== undefined && { ladders: each(ladders, ifPath) }),
    ...(publish !== undefined && { publish: withImage(publish) }),
    ...(broadcasts !== undefined && { broadcasts: each(broadcasts, withImage) }),
    ...(isTable(tls) && { tls: { ...tls, cert: absolute(tls['cert']), key: absolute(tls['key']) } }),
  };
}
