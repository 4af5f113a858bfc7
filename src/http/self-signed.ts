import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { generate } from 'selfsigned';
import { writeFileAtomically } from '../util/atomic-file.ts';

/** File that holds key and certificate. */
const FILE = 'self-signed.pem';

/** Browsers refuse certificates for longer than 398 days. */
const VALID_DAYS = 365;

/** Renewed when it is valid for less than this, so that it does not expire while the server runs for a while. */
const RENEW_BEFORE_DAYS = 30;

const DAY_MS = 86_400_000;

/**
 * A certificate for local trials, for localhost, the loopback addresses and this machine's name: the one that `folder`
 * keeps while it is good for that, else a new one, which is kept there for the owner's eyes only.
 * @throws Error if the folder cannot be written to.
 */
export async function selfSignedCertificate(
  folder: string,
  { nowMs = Date.now(), hostName = os.hostname() }: { nowMs?: number; hostName?: string } = {},
): Promise<{ key: string; cert: string }> {
  const file = path.join(folder, FILE);
  const kept = splitPem(await readFile(file, 'utf8').catch(() => ''));
  if (kept !== undefined && isGood(kept, { nowMs, hostName })) return kept;
  const made = await make({ nowMs, hostName });
  await writeFileAtomically(file, `${made.key.trim()}\n${made.cert.trim()}\n`, 0o600);
  return made;
}

interface Subject {
  readonly nowMs: number;
  readonly hostName: string;
}

async function make({ nowMs, hostName }: Subject): Promise<{ key: string; cert: string }> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'Laddercast' }], {
    ...{ keyType: 'ec', curve: 'P-256', algorithm: 'sha256' },
    notBeforeDate: new Date(nowMs - DAY_MS),
    notAfterDate: new Date(nowMs + VALID_DAYS * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...[...new Set(['localhost', hostName])].map((value) => ({ type: 2 as const, value })),
          ...['127.0.0.1', '::1'].map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  });
  return { key, cert };
}

function isGood({ key, cert }: { key: string; cert: string }, { nowMs, hostName }: Subject): boolean {
  try {
    const certificate = new X509Certificate(cert);
    const leftMs = Date.parse(certificate.validTo) - nowMs;
    return (
      leftMs > RENEW_BEFORE_DAYS * DAY_MS &&
      Date.parse(certificate.validFrom) <= nowMs &&
      certificate.checkHost(hostName) !== undefined &&
      certificate.checkPrivateKey(createPrivateKey(key))
    );
  } catch {
    return false;
  }
}

function splitPem(text: string): { key: string; cert: string } | undefined {
  const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?-----END [A-Z ]*PRIVATE KEY-----/.exec(text)?.[0];
  const cert = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/.exec(text)?.[0];
  return key === undefined || cert === undefined ? undefined : { key, cert };
}
