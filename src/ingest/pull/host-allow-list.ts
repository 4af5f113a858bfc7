import dns from 'node:dns/promises';
import net from 'node:net';
import { AddressGuard } from '../../remote/address-guard.ts';
import { AppError } from '../../util/errors.ts';

/** Networks that a listed name may lead into besides public ones: who lists the name knows where it leads. */
const OWN_NETWORKS = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'];
const NAME = /^[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_])?$/;

/** Resolves a name to all of its addresses. */
export type ResolveHost = (name: string) => Promise<readonly string[]>;

/**
 * Decides which hosts ffmpeg may connect to: names and addresses (CIDR) that the operator lists, nothing else. A listed name
 * may lead to a public or private address, but to one of this machine or its link (127.0.0.0/8, 169.254.0.0/16, ::1, fe80::/10
 * and the like) only if that address is listed too.
 */
export class HostAllowList {
  readonly #names = new Set<string>();
  readonly #blocks = new net.BlockList();
  readonly #ordinary = new AddressGuard(OWN_NETWORKS);
  readonly #resolve: ResolveHost;
  #blockCount = 0;

  /**
   * @param entries names, addresses and blocks of them such as `10.0.0.0/8`
   * @throws AppError `BAD_CONFIG` for one that is none
   */
  constructor(entries: readonly string[], resolve: ResolveHost = resolveHost) {
    this.#resolve = resolve;
    for (const entry of entries) this.#add(entry);
  }

  /**
   * Checks what can be told without asking anyone; a name that is not listed may still lead to a listed address.
   * @throws AppError `FORBIDDEN`
   */
  checkHost(host: string): void {
    const name = normalised(host);
    if (net.isIP(name) === 0 ? this.#names.has(name) || this.#blockCount > 0 : this.#isListed(name)) return;
    throw forbidden(`${JSON.stringify(host.slice(0, 100))} is not among them`);
  }

  /**
   * Resolves a host and answers the address to connect to; all of its addresses must be allowed.
   * @throws AppError `FORBIDDEN`, or `UNAVAILABLE` if the name cannot be resolved
   */
  async check(host: string): Promise<string> {
    this.checkHost(host);
    const name = normalised(host);
    if (net.isIP(name) !== 0) return name;
    if (!NAME.test(name)) throw forbidden('it is no name of a host');
    const addresses = await this.#resolve(name).catch(() => []);
    const [first] = addresses;
    if (first === undefined) throw new AppError('UNAVAILABLE', `the name "${name}" cannot be resolved at present`);
    const isAllowed = (address: string): boolean =>
      this.#isListed(address) || (this.#names.has(name) && this.#ordinary.isAllowed(address));
    if (addresses.every(isAllowed)) return first;
    throw forbidden(`"${name}" leads to an address that is not`);
  }

  #add(entry: string): void {
    const [address = '', bits, ...more] = entry.split('/');
    const version = net.isIP(address);
    const name = normalised(entry);
    if (version === 0 && bits === undefined && NAME.test(name)) {
      this.#names.add(name);
      return;
    }
    const most = version === 4 ? 32 : 128;
    const length = bits === undefined ? most : Number(bits);
    if (version === 0 || !/^\d{1,3}$/.test(bits ?? '0') || length > most || more.length > 0) {
      throw new AppError(
        'BAD_CONFIG',
        `pull.allowHosts: "${entry}" is neither a name nor an address nor a block of them`,
      );
    }
    this.#blocks.addSubnet(address, length, version === 4 ? 'ipv4' : 'ipv6');
    this.#blockCount += 1;
  }

  #isListed(address: string): boolean {
    const version = net.isIP(address);
    return version !== 0 && this.#blocks.check(address, version === 4 ? 'ipv4' : 'ipv6');
  }
}

function normalised(host: string): string {
  return host
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

function forbidden(reason: string): AppError {
  return new AppError(
    'FORBIDDEN',
    `rtsp, rtmp and srt sources may only be at the hosts that "pull.allowHosts" lists: ${reason}; an operator may add it`,
  );
}

async function resolveHost(name: string): Promise<string[]> {
  const found = await dns.lookup(name, { all: true });
  return found.map(({ address }) => address);
}
