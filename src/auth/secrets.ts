import { randomBytes } from 'node:crypto';
import { chmod, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Static, Type } from 'typebox';
import type { Config } from '../config/schema.ts';
import { writeFileAtomically } from '../util/atomic-file.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import { checkSchema } from '../util/schema-check.ts';

const SecretsFile = Type.Object(
  {
    adminToken: Type.Optional(Type.String({ minLength: 8, maxLength: 512, pattern: '^[!-~]+$' })),
    streamKey: Type.Optional(Type.String({ minLength: 8, maxLength: 512, pattern: '^[!-~]+$' })),
    urlSecret: Type.Optional(Type.String({ minLength: 32, maxLength: 512, pattern: '^[!-~]+$' })),
  },
  { additionalProperties: false },
);
type SecretsFile = Static<typeof SecretsFile>;

/** The secrets in force. */
export interface Secrets {
  readonly adminToken: string;
  /** Accepted for every broadcast; `undefined` where the configuration has keys per broadcast only. */
  readonly streamKey: string | undefined;
  /** Signs the addresses that relayed playlists name; nobody ever has to know it. */
  readonly urlSecret: string;
  /** What was made just now, and so has to be shown to the admin, once. */
  readonly created: readonly ('adminToken' | 'streamKey')[];
  /** Where made secrets are kept. */
  readonly file: string;
}

/**
 * Takes secrets from the configuration, then from the data folder, and makes those that are still missing there (mode
 * 0600).
 * @throws AppError `BAD_CONFIG` if the file in the data folder is damaged, unreadable or cannot be written.
 */
export async function resolveSecrets(config: Config): Promise<Secrets> {
  const file = path.join(config.dataDir, 'secrets.json');
  const saved = await readSaved(file);
  const adminToken = config.adminToken ?? saved.adminToken ?? randomBytes(24).toString('base64url');
  const needsStreamKey = config.streamKeys.length === 0;
  const streamKey =
    config.streamKey ?? (needsStreamKey ? (saved.streamKey ?? randomBytes(15).toString('base64url')) : undefined);
  const urlSecret = saved.urlSecret ?? randomBytes(32).toString('base64url');
  const toSave: SecretsFile = { ...saved, urlSecret };
  if (config.adminToken === undefined) toSave.adminToken = adminToken;
  if (config.streamKey === undefined && streamKey !== undefined) toSave.streamKey = streamKey;
  const created = (['adminToken', 'streamKey'] as const).filter((name) => toSave[name] !== saved[name]);
  if (created.length > 0 || saved.urlSecret === undefined) await save(file, toSave);
  return { adminToken, streamKey, urlSecret, created, file };
}

async function readSaved(file: string): Promise<SecretsFile> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
    await chmod(file, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new AppError('BAD_CONFIG', `${file} cannot be read: ${reasonOf(error)}`, { cause: error });
  }
  try {
    return checkSchema(SecretsFile, JSON.parse(text), {
      subject: file,
      secretKeys: ['adminToken', 'streamKey', 'urlSecret'],
    });
  } catch {
    // Neither the parser's message nor the content may get out: both can hold a secret.
    throw new AppError('BAD_CONFIG', `${file} is damaged; delete it, and new secrets are made at the next start`);
  }
}

async function save(file: string, secrets: SecretsFile): Promise<void> {
  try {
    await writeFileAtomically(file, `${JSON.stringify(secrets, undefined, 2)}\n`, 0o600);
  } catch (error) {
    throw new AppError('BAD_CONFIG', `secrets cannot be saved in ${file}: ${reasonOf(error)}`, { cause: error });
  }
}
