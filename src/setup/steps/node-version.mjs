import { SetupError } from '../setup-error.mjs';

/** Oldest release of each supported line; lines after the last one are taken as they are. */
const MINIMUM_MINOR = new Map([
  [20, 19],
  [22, 13],
]);
const NEWEST_LINE_WITHOUT_MINIMUM = 24;

/**
 * Checks that this Node.js can run the program.
 * @param {string} version e.g. `20.19.0`
 */
export function checkNodeVersion(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const minimum = MINIMUM_MINOR.get(major);
  const supported = minimum === undefined ? major >= NEWEST_LINE_WITHOUT_MINIMUM : minor >= minimum;
  if (supported) return version;
  throw new SetupError(
    `Node.js ${version} cannot run Laddercast; install 20.19 or newer of line 20, 22.13 or newer of line 22, or 24 (https://nodejs.org)`,
  );
}
