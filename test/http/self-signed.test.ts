import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { selfSignedCertificate } from '../../src/http/self-signed.ts';

const DAY_MS = 86_400_000;

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-certificate-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const file = (): string => path.join(folder, 'self-signed.pem');

describe('the self-signed certificate', () => {
  it('is good for this machine under all its names, and for its key', async () => {
    const { key, cert } = await selfSignedCertificate(folder, { hostName: 'studio' });
    const certificate = new X509Certificate(cert);
    expect(['localhost', 'studio'].map((name) => certificate.checkHost(name))).toEqual(['localhost', 'studio']);
    expect(['127.0.0.1', '::1'].map((address) => certificate.checkIP(address))).toEqual(['127.0.0.1', '::1']);
    expect(certificate.checkHost('example.org')).toBeUndefined();
    expect(certificate.ca).toBe(false);
    expect(key).toContain('PRIVATE KEY');
    const validMs = Date.parse(certificate.validTo) - Date.parse(certificate.validFrom);
    expect(validMs).toBeLessThan(398 * DAY_MS);
  });

  it('is kept for the owner only, and used again', async () => {
    const made = await selfSignedCertificate(folder);
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    const again = await selfSignedCertificate(folder);
    expect(new X509Certificate(again.cert).fingerprint256).toBe(new X509Certificate(made.cert).fingerprint256);
  });

  it.each([
    ['expires', { nowMs: Date.now() + 360 * DAY_MS }],
    ['is for another machine', { hostName: 'other' }],
    ['is of the future', { nowMs: Date.now() - 10 * DAY_MS }],
  ])('is made anew when the old one %s', async (_what, options) => {
    const first = await selfSignedCertificate(folder, { hostName: 'studio' });
    const second = await selfSignedCertificate(folder, { hostName: 'studio', ...options });
    expect(second.cert).not.toBe(first.cert);
    expect(await readFile(file(), 'utf8')).toContain(second.cert.trim());
  });

  it.each(['', 'no certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])(
    'is made anew when the file holds something else (%#)',
    async (content) => {
      await writeFile(file(), content);
      const { cert } = await selfSignedCertificate(folder);
      expect(new X509Certificate(cert).checkHost('localhost')).toBe('localhost');
    },
  );

  it('does not use a key that belongs to another certificate', async () => {
    const first = await selfSignedCertificate(folder);
    await rm(file());
    const second = await selfSignedCertificate(folder);
    await writeFile(file(), `${first.key}\n${second.cert}`);
    expect((await selfSignedCertificate(folder)).cert).not.toBe(second.cert);
  });
});
