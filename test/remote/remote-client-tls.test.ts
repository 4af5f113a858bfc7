import { execFile } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RangeServer } from '../support/range-server.ts';
import { makeCertificate } from '../support/rtmp-certificate.ts';

const { key, cert } = makeCertificate();
const seen: unknown[] = [];
let folder: string;
let plain: RangeServer;
const server = https.createServer({ key, cert }, ({ url, socket }, response) => {
  // Not declared: the name that the client asked for.
  seen.push(Reflect.get(socket, 'servername'));
  if (url === '/down') response.writeHead(302, { location: plain.url() }).end();
  else response.end('secret film');
});

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'laddercast-tls-'));
  await fs.writeFile(path.join(folder, 'ca.pem'), cert);
  plain = await RangeServer.start(Buffer.from('plain'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(async () => {
  server.close();
  await plain.close();
  await fs.rm(folder, { recursive: true });
});

/** Fetches in a process of its own, since certificates are trusted from a process' start on; answers what came out. */
async function fetchIn(host: string, place: string, trusted: boolean): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const remote = (name: string): string => JSON.stringify(new URL(`../../src/remote/${name}.ts`, import.meta.url));
  const script = `
    const { AddressGuard } = await import(${remote('address-guard')});
    const { RemoteClient } = await import(${remote('remote-client')});
    const { parseRemoteUrl } = await import(${remote('remote-url')});
    const lookup = (name, options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]);
    const client = new RemoteClient({ guard: new AddressGuard(['127.0.0.1']), lookup, onFailure: console.log });
    try {
      const response = await client.open({ target: parseRemoteUrl('https://${host}:${port}${place}') });
      for await (const piece of response.pieces()) console.log(String(piece));
    } catch (error) {
      console.log(error.code);
    }
    await client.close();
  `;
  const env = { ...process.env, ...(trusted && { NODE_EXTRA_CA_CERTS: path.join(folder, 'ca.pem') }) };
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  return (await promisify(execFile)(process.execPath, args, { env })).stdout;
}

it('checks the certificate against the name, which it also sends, and follows no redirect from https to http', async () => {
  const [good, redirected, otherName, untrusted] = await Promise.all([
    fetchIn('localhost', '/film', true),
    fetchIn('localhost', '/down', true),
    fetchIn('films.example', '/film', true),
    fetchIn('localhost', '/film', false),
  ]);
  expect(good).toBe('secret film\n');
  expect(seen).toContain('localhost');
  expect(redirected).toMatch(/redirected from https to http\nUNAVAILABLE/);
  expect(otherName).toMatch(/films\.example[^]*UNAVAILABLE/);
  expect(untrusted).toMatch(/self.signed[^]*UNAVAILABLE/);
  expect(plain.seen).toEqual([]);
});
