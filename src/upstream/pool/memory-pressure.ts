import os from 'node:os';

/** Below this share of what the process may use, memory counts as short. */
const SHORT_SHARE = 0.05;
/** Machines with much memory need no more than this to be well. */
const ENOUGH_BYTES = 512 * 1024 * 1024;

/** True if this process, or the machine it runs on, has hardly any memory left. */
export function isMemoryShort(): boolean {
  const limit = process.constrainedMemory();
  const total = limit > 0 && limit < os.totalmem() ? limit : os.totalmem();
  return process.availableMemory() < Math.min(SHORT_SHARE * total, ENOUGH_BYTES);
}
