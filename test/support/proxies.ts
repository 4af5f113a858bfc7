import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { until } from './poll.ts';

const README = path.resolve(import.meta.dirname, '../../README.md');

/** A running proxy in front of an origin on loopback. */
export interface Proxy {
  readonly port: number;
  close(): Promise<void>;
}

/** Varnish with the README's configuration. */
export interface Varnish extends Proxy {
  /** Requests that were put to sleep so far since another one is fetching the same object. */
  sleepers(): number;
}

/** Starts Varnish as the README configures it, but on other ports. */
export async function startVarnish(originPort: number): Promise<Varnish> {
  const folder = await temporaryFolder('varnish');
  const port = await freePort();
  const config = replaceAll(await readmeBlock('vcl'), { '"127.0.0.1"': '"127.0.0.1"', '"8080"': `"${originPort}"` });
  const file = path.join(folder, 'default.vcl');
  await writeFile(file, config);
  const state = path.join(folder, 'state');
  const args = ['-F', '-j', 'none', '-n', state, '-f', file, '-a', `127.0.0.1:${port}`, '-s', 'malloc,64m'];
  const close = await start('varnishd', args, { port, folder });
  return {
    port,
    close,
    sleepers: () => {
      const { stdout } = spawnSync('varnishstat', ['-n', state, '-1', '-f', 'MAIN.busy_sleep'], { encoding: 'utf8' });
      return Number(/MAIN\.busy_sleep\s+(\d+)/.exec(stdout)?.[1] ?? 0);
    },
  };
}

/** Starts nginx as the README configures it, but on other ports and with other folders. */
export async function startNginx(originPort: number, tls: { key: string; cert: string }): Promise<Proxy> {
  const folder = await temporaryFolder('nginx');
  const port = await freePort();
  const within = (name: string): string => path.join(folder, name);
  await Promise.all([writeFile(within('tls.pem'), tls.cert), writeFile(within('tls.key'), tls.key)]);
  await mkdir(within('cache'));
  const site = replaceAll(await readmeBlock('nginx'), {
    'listen 443 ssl http2;': `listen 127.0.0.1:${port} ssl http2;`,
    '127.0.0.1:8080': `127.0.0.1:${originPort}`,
    '/var/cache/nginx/laddercast': within('cache'),
    '/etc/ssl/example.org.pem': within('tls.pem'),
    '/etc/ssl/example.org.key': within('tls.key'),
  });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${within(name)};`,
  );
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const main = `${user} daemon off; worker_processes 1; pid ${within('nginx.pid')}; events { worker_connections 4096; }`;
  await writeFile(within('nginx.conf'), `${main}\nhttp {\naccess_log off;\n${temporary.join('\n')}\n${site}\n}\n`);
  const close = await start('nginx', ['-p', folder, '-c', within('nginx.conf'), '-e', 'stderr'], { port, folder });
  return { port, close };
}

/** The one fenced block of a kind in the README. */
async function readmeBlock(kind: string): Promise<string> {
  const blocks = [...(await readFile(README, 'utf8')).matchAll(new RegExp(`^\`\`\`${kind}\\n([^]*?)^\`\`\``, 'gm'))];
  const [block] = blocks;
  if (blocks.length !== 1 || block?.[1] === undefined) throw new Error(`README.md has ${blocks.length} ${kind} blocks`);
  return block[1];
}

/** Replaces each text, all of which must be there. */
function replaceAll(config: string, texts: Readonly<Record<string, string>>): string {
  return Object.entries(texts).reduce((result, [from, to]) => {
    if (!result.includes(from)) throw new Error(`the README's configuration has no ${from}`);
    return result.replaceAll(from, to);
  }, config);
}

async function start(
  program: string,
  args: readonly string[],
  { port, folder }: { port: number; folder: string },
): Promise<() => Promise<void>> {
  // Debian keeps servers where users do not look for programs.
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-4_000));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.on(
    'error',
    (error) => (output += `\n${program} cannot be started: ${error.message}; install it to run this test`),
  );
  const close = async (): Promise<void> => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(`${program} to listen`, async () => {
      if (child.pid === undefined || child.exitCode !== null) throw new Error(`${program} has ended: ${output}`);
      return isListening(port);
    });
  } catch (error) {
    await close();
    throw new Error(`${program}: ${output}`, { cause: error });
  }
  return close;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** These programs cannot tell which port they took. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function temporaryFolder(name: string): Promise<string> {
  return mkdtemp(path.join(os.tmpdir(), `laddercast-${name}-`));
}
