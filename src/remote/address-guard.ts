import net from 'node:net';
import ipaddr from 'ipaddr.js';
import { AppError } from '../util/errors.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Block = [Address, number];

/** What `ipaddr.js` takes for ordinary although it is reserved, or leads into another network (RFC 6890 and successors). */
const RESERVED = [
  '0.0.0.0/8',
  '192.0.0.0/24',
  '192.88.99.0/24',
  // Azure's own services, inside every virtual machine.
  '168.63.129.16/32',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fec0::/10',
].map((cidr) => ipaddr.parseCIDR(cidr));
/** The only part of IPv6 that is handed out for public use. */
const GLOBAL_V6 = ipaddr.parseCIDR('2000::/3');
const WELL_KNOWN_PORTS = new Set([80, 443]);
const FIRST_FREE_PORT = 1_024;
/** Ports of services that take an HTTP request for something else (the Fetch standard's list, and two databases). */
const OTHER_SERVICES = new Set([
  ...[1_719, 1_720, 1_723, 2_049, 3_659, 4_045, 4_190, 5_060, 5_061, 6_000, 6_379, 6_566],
  ...[6_665, 6_666, 6_667, 6_668, 6_669, 6_679, 6_697, 10_080, 11_211],
]);

/** Decides which addresses this program may connect to on a user's behalf: public ones, and those an operator allows. */
export class AddressGuard {
  readonly #allowed: readonly Block[];

  /**
   * @param allow addresses or blocks (CIDR) that may be reached although they are not public
   * @throws AppError `BAD_CONFIG` for one that is none
   */
  constructor(allow: readonly string[] = []) {
    this.#allowed = allow.map(parseBlock);
  }

  /** Tells whether an IP address, as text without brackets, may be connected to. */
  isAllowed(address: string): boolean {
    // A zone index names an interface of this machine.
    if (net.isIP(address) === 0 || address.includes('%')) return false;
    const parsed = unmapped(ipaddr.parse(address));
    if (this.#allowed.some((block) => isIn(parsed, block))) return true;
    if (parsed.range() !== 'unicast' || RESERVED.some((block) => isIn(parsed, block))) return false;
    return parsed.kind() === 'ipv4' || isIn(parsed, GLOBAL_V6);
  }

  /**
   * Checks what can be seen without asking anyone: scheme, port, and the host if it is a literal address. A name is
   * checked when it is resolved, see `guardedAgent()`.
   * @throws AppError `FORBIDDEN`
   */
  checkUrl({ protocol, hostname, port }: URL): void {
    if (protocol !== 'http:' && protocol !== 'https:') {
      throw new AppError('FORBIDDEN', `"${protocol}" addresses are not fetched; use http or https`);
    }
    const number = port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port);
    if ((!WELL_KNOWN_PORTS.has(number) && number < FIRST_FREE_PORT) || OTHER_SERVICES.has(number)) {
      const others = number < FIRST_FREE_PORT ? '80, 443 and those from 1024 on are' : 'another service uses it';
      throw new AppError('FORBIDDEN', `port ${number} is not fetched from; ${others}`);
    }
    const literal = hostname.replace(/^\[|\]$/g, '');
    if (net.isIP(literal) !== 0 && !this.isAllowed(literal)) {
      throw new AppError('FORBIDDEN', `${literal} is no public address; an operator may allow it in "allowPrivate"`);
    }
  }
}

function parseBlock(text: string): Block {
  try {
    if (text.includes('/')) {
      const [address, bits] = ipaddr.parseCIDR(text);
      return address.kind() === 'ipv6' && bits >= 96 && unmapped(address) !== address
        ? [unmapped(address), bits - 96]
        : [address, bits];
    }
    const address = unmapped(ipaddr.parse(text));
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  } catch {
    throw new AppError('BAD_CONFIG', `"${text}" is neither an IP address nor a block of them such as 10.0.0.0/8`);
  }
}

/** An IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`) is reached by IPv4. */
function unmapped(address: Address): Address {
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

function isIn(address: Address, [base, bits]: Block): boolean {
  return address.kind() === base.kind() && address.match(base, bits);
}
